// SPDX-License-Identifier: Apache-2.0
// Prints what the scan at exit left in ledgers: a line of JSON for each, with
// the functions of every leak's stack, innermost first.
#include <cstdio>
#include <cstring>
#include <string>

#include "collector/profile/resolver.h"
#include "collector/shm/ledger_reader.h"

namespace {

using heapledger::collector::FrameNames;
using heapledger::collector::LeakCounts;
using heapledger::collector::LeakRecord;
using heapledger::collector::LeakScan;
using heapledger::collector::LedgerReader;
using heapledger::collector::LedgerSnapshot;

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return out + '"';
}

std::string Json(const LeakCounts& counts) {
  char text[160];
  std::snprintf(text, sizeof text,
                "\"direct_bytes\": %llu, \"direct_objects\": %llu, "
                "\"indirect_bytes\": %llu, \"indirect_objects\": %llu",
                static_cast<unsigned long long>(counts.direct_bytes),
                static_cast<unsigned long long>(counts.direct_objects),
                static_cast<unsigned long long>(counts.indirect_bytes),
                static_cast<unsigned long long>(counts.indirect_objects));
  return text;
}

std::string StackOf(const LedgerSnapshot& snapshot, const LeakRecord& leak,
                    FrameNames& names) {
  std::string out;
  for (const std::uint32_t frame :
       snapshot.stack(snapshot.callsites()[leak.callsite])) {
    for (const auto& function : names.Resolve(snapshot, frame)) {
      if (!out.empty()) out += ", ";
      out += Quoted(function.function.empty() ? function.module
                                              : function.function);
    }
  }
  return "[" + out + "]";
}

void Print(const LedgerSnapshot& snapshot, bool live, FrameNames& names) {
  const LeakScan& scan = live ? snapshot.live_scan : snapshot.scan;
  std::printf(
      "{\"pid\": %u, \"program\": %s, \"image\": %u, \"state\": \"%s\", "
      "\"reason\": \"%s\", \"blocks\": %llu, \"unreachable\": %llu, "
      "\"threads\": %llu, \"root_bytes\": %llu, \"duration_ns\": %llu, "
      "\"pause_ns\": %llu, \"corrupt_records\": %llu, "
      "\"live_bytes\": %llu, %s, \"leaks\": [",
      snapshot.identity.pid, Quoted(snapshot.identity.Program()).c_str(),
      snapshot.identity.image, std::string(ScanStateWord(scan.state)).c_str(),
      heapledger::collector::ScanReasonWord(scan.reason).c_str(),
      static_cast<unsigned long long>(scan.blocks),
      static_cast<unsigned long long>(scan.unreachable),
      static_cast<unsigned long long>(scan.threads),
      static_cast<unsigned long long>(scan.root_bytes),
      static_cast<unsigned long long>(scan.duration_ns),
      static_cast<unsigned long long>(scan.pause_ns),
      static_cast<unsigned long long>(snapshot.corrupt_records),
      static_cast<unsigned long long>(snapshot.totals.live_bytes()),
      Json(scan.totals).c_str());
  const char* between = "";
  for (const LeakRecord& leak : scan.leaks) {
    std::printf("%s{%s, \"stack\": %s}", between, Json(leak.counts).c_str(),
                StackOf(snapshot, leak, names).c_str());
    between = ", ";
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  const auto names = heapledger::collector::MakeResolver();
  // --live: the last scan of the running program instead of the one at exit.
  const bool live = argc > 1 && std::strcmp(argv[1], "--live") == 0;
  for (int i = live ? 2 : 1; i < argc; ++i) {
    auto reader = LedgerReader::Open(argv[i]);
    if (!reader.ok()) {
      std::fprintf(stderr, "leak_report: %s\n",
                   std::string(reader.status().message()).c_str());
      return 1;
    }
    const auto snapshot = (*reader)->Take();
    if (!snapshot.ok()) {
      std::fprintf(stderr, "leak_report: %s\n",
                   std::string(snapshot.status().message()).c_str());
      return 1;
    }
    Print(*snapshot, live, *names);
  }
  return 0;
}
