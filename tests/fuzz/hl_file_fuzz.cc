// SPDX-License-Identifier: Apache-2.0
// Any bytes as a snapshot file. The first byte of the input chooses between
//   0..63    patches (offset, word) over a sound file, 12 bytes each
//   64..127  the same, with checksums made right again
//   128..191 raw bytes, with checksums made right
//   192..    raw bytes
// The reader must answer with a status or a snapshot that keeps its invariants.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "collector/profile/hl_file.h"
#include "tests/support/hl_seal.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace {

using heapledger::collector::HeapCounters;
using heapledger::collector::HlFile;
using heapledger::collector::LedgerSnapshot;
using heapledger::collector::testing::HeapMaker;

const std::string& SoundFile() {
  static const std::string& file = *[] {
    HeapMaker maker;
    const auto main = maker.AddFrame("main");
    const auto inner = maker.AddFrame("inner");
    maker.AddCallsite({inner, main}, 100, 2);
    maker.AddCallsite({main}, 50, 1);
    maker.Free(0, 10, 1);
    heapledger::collector::HlWriteOptions options;
    options.names = &maker.names();
    options.marks = {{"start", 1, 2, 3}};
    const auto written = WriteHl(*maker.Take(), options);
    if (!written.ok()) std::abort();
    return new std::string(*written);
  }();
  return file;
}

std::string Patched(const std::uint8_t* data, std::size_t size) {
  std::string file = SoundFile();
  for (; size >= 12; data += 12, size -= 12) {
    std::uint32_t offset;
    std::memcpy(&offset, data, sizeof offset);
    std::memcpy(file.data() + offset % (file.size() - 8), data + 4, 8);
  }
  return file;
}

void Check(const HlFile& file) {
  const LedgerSnapshot& snapshot = *file.snapshot;
  HeapCounters sum;
  for (const HeapCounters& counters : snapshot.counters) {
    sum += counters;
    if (counters.freed_bytes >
            counters.inherited_bytes + counters.allocated_bytes ||
        counters.freed_objects >
            counters.inherited_objects + counters.allocated_objects) {
      std::abort();
    }
  }
  if (!(sum == snapshot.totals)) std::abort();
  for (const auto& callsite : snapshot.callsites()) {
    for (const std::uint32_t frame : snapshot.stack(callsite)) {
      if (frame >= snapshot.tables->frames.size()) std::abort();
      (void)snapshot.module_of(snapshot.tables->frames[frame]);
      if (file.names != nullptr &&
          file.names->Resolve(snapshot, frame).empty()) {
        std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  std::string file =
      data[0] < 128
          ? Patched(data + 1, size - 1)
          : std::string(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] >= 64 && data[0] < 192) heapledger::testing::SealHl(file);
  const auto read =
      heapledger::collector::ParseHl(std::as_bytes(std::span(file)), "fuzz");
  if (read.ok()) Check(*read);
  return 0;
}
