// SPDX-License-Identifier: Apache-2.0
// Any bytes as a ledger. The first byte of the input chooses between
//   0..127  patches (offset, word) over a sound ledger, 12 bytes each
//   128..   raw bytes, dealt out to the header, the shards, the extents and the
//           first pages of data
// The reader must answer with a status or a snapshot that keeps its invariants.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "collector/shm/ledger_reader.h"
#include "tests/support/ledger_builder.h"

namespace {

using heapledger::collector::HeapCounters;
using heapledger::collector::LeakCounts;
using heapledger::collector::LedgerReader;
using heapledger::collector::LedgerSnapshot;
using heapledger::testing::LedgerBuilder;
namespace ledger = heapledger::ledger;

constexpr std::size_t kCapBytes = ledger::kMinimumCapBytes;

LedgerBuilder& SoundLedger() {
  static LedgerBuilder& built = *[] {
    auto* const builder = new LedgerBuilder(kCapBytes);
    const auto module = builder->AddModule("/usr/bin/orders", 0x10000);
    const auto inner = builder->AddFrame(0x10010, module);
    const auto outer = builder->AddFrame(0x10020, module);
    for (std::uint32_t i = 0; i < 4; ++i) {
      const auto callsite =
          builder->AddCallsite(builder->AddStack({inner, outer}), i);
      builder->Allocate(callsite, i, 100 * i, i);
      builder->Free(callsite, i + 1, 10 * i, i);
      builder->leak(callsite).direct_bytes = i;
    }
    const auto tag = builder->AddTag("tenant", "tenant", "acme");
    builder->callsite(ledger::kFirstCallsite).tag =
        static_cast<std::uint16_t>(tag);
    builder->scope(tag, 2).begun = 3;
    builder->header().scan.state =
        static_cast<std::uint32_t>(ledger::ScanState::kComplete);
    return builder;
  }();
  return built;
}

void Patch(std::byte* file, const std::uint8_t* data, std::size_t size) {
  for (; size >= 12; data += 12, size -= 12) {
    std::uint32_t offset;
    std::memcpy(&offset, data, sizeof offset);
    offset %= static_cast<std::uint32_t>(SoundLedger().used_bytes() - 8);
    std::memcpy(file + offset, data + 4, 8);
  }
}

void Deal(std::byte* file, const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPieces[][2] = {{ledger::kHeaderPage, 1536},
                                        {ledger::kShardPage, 256},
                                        {ledger::kExtentPage, 512},
                                        {ledger::kFirstDataPage, 65536}};
  for (const auto& [page, room] : kPieces) {
    const std::size_t piece = std::min(size, room);
    std::memcpy(file + page * ledger::kPageBytes, data, piece);
    data += piece;
    size -= piece;
  }
}

void Check(const LedgerSnapshot& snapshot) {
  HeapCounters sum;
  for (const HeapCounters& counters : snapshot.counters) {
    sum += counters;
    if (counters.freed_bytes >
        counters.inherited_bytes + counters.allocated_bytes) {
      std::abort();
    }
  }
  if (!(sum == snapshot.totals)) std::abort();
  LeakCounts leaks;
  for (const auto& leak : snapshot.scan.leaks) {
    if (leak.callsite >= snapshot.counters.size()) std::abort();
    leaks += leak.counts;
  }
  if (!(leaks == snapshot.scan.totals)) std::abort();
  for (const auto& callsite : snapshot.callsites()) {
    for (const std::uint32_t frame : snapshot.stack(callsite)) {
      if (frame >= snapshot.tables->frames.size()) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  LedgerBuilder& sound = SoundLedger();
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  if (descriptor < 0 || ftruncate(descriptor, kCapBytes) != 0) std::abort();
  auto* const file = static_cast<std::byte*>(mmap(
      nullptr, kCapBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0));
  if (file == MAP_FAILED) std::abort();
  std::memcpy(file, sound.data(), sound.used_bytes());
  if (data[0] < 128) {
    Patch(file, data + 1, size - 1);
  } else {
    Deal(file, data + 1, size - 1);
  }
  munmap(file, kCapBytes);
  auto reader = LedgerReader::Adopt(descriptor, "fuzz");
  for (int look = 0; reader.ok() && look < 2; ++look) {
    const auto snapshot = (*reader)->Take();
    if (snapshot.ok()) Check(*snapshot);
  }
  return 0;
}
