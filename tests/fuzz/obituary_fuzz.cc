// SPDX-License-Identifier: Apache-2.0
// Obituaries and kernel logs of anybody. The first byte of the input chooses
//   0..79    the section "history"
//   80..159  the section "obituary"
//   160..199 both: the second byte says how long, in units of 16 bytes, the
//            history is
//   200..    lines of the kernel's log
// What is read is written so that it reads the same again, and can be shown.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "collector/obituary/obituary.h"
#include "collector/obituary/oom_report.h"
#include "collector/obituary/page.h"
#include "collector/obituary/series.h"
#include "collector/obituary/verdict.h"

namespace {

using heapledger::collector::HlSection;
using heapledger::collector::LedgerSnapshot;
using namespace heapledger::collector::obituary;

void CheckSeries(std::string_view bytes) {
  const auto rows = DecodeSeries(bytes);
  if (!rows.ok()) return;
  Series series(std::size_t{1} << 30);
  for (const SeriesRow& row : *rows) series.Add(row.time_ms, row.values);
  if (series.Rows() != *rows) std::abort();
  const auto again = DecodeSeries(series.Encode());
  if (!again.ok() || *again != *rows) std::abort();
  Series small(256);
  for (const SeriesRow& row : *rows) small.Add(row.time_ms, row.values);
  if (!rows->empty() && small.last() != rows->back()) std::abort();
}

void Show(const Obituary& obituary) {
  LedgerSnapshot snapshot;
  snapshot.totals.allocated_bytes = 100;
  std::vector<CallsiteFigure> top;
  if (!obituary.callsites.empty()) top.push_back({obituary.callsites[0], 7, 1});
  const std::string page = PageSection(snapshot, obituary, top);
  if (page.find("<script") != std::string::npos) std::abort();
}

void CheckObituary(std::string_view text, std::string_view history) {
  std::vector<HlSection> sections = {{kObituarySection, std::string(text)}};
  if (!history.empty()) {
    sections.push_back({kHistorySection, std::string(history)});
  }
  const auto first = FromSections(sections, "fuzz");
  if (!first.ok()) return;
  const auto json = ObituaryJson(*first);
  const auto second =
      FromSections(Sections(*first, std::string(history)), "again");
  // Without a history there is no section of it.
  if (!history.empty() && (!second.ok() || ObituaryJson(*second) != json)) {
    std::abort();
  }
  Show(*first);
}

void CheckKernelLog(std::string_view text) {
  KernelDeaths deaths;
  std::uint64_t time_ns = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    heapledger::collector::logs::LogLine line;
    line.program = "kernel";
    line.text = text.substr(0, end);
    line.realtime_ns = time_ns += 1'000'000'000;
    deaths.Add(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (deaths.reports().size() > KernelDeaths::kMaxReports ||
      deaths.faults().size() > KernelDeaths::kMaxFaults) {
    std::abort();
  }
  for (const OomReport& report : deaths.reports()) {
    if (report.tasks.size() > KernelDeaths::kMaxTasks ||
        report.killed.size() > KernelDeaths::kMaxKilled) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] < 80) {
    CheckSeries(input);
  } else if (data[0] < 160) {
    CheckObituary(input, "");
  } else if (data[0] < 200) {
    input.remove_prefix(1);
    const std::size_t history =
        std::min<std::size_t>(input.size(), std::size_t{16} * data[1]);
    CheckObituary(input.substr(history), input.substr(0, history));
  } else {
    CheckKernelLog(input);
  }
  return 0;
}
