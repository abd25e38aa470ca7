// SPDX-License-Identifier: Apache-2.0
// Any bytes as a ledger's Python record, and as the text of CPython's
// allocator, which the shim reads in the target.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "collector/shm/ledger_reader.h"
#include "heapledger/ledger/python_record.h"
#include "preload/runtime/malloc_stats.h"
#include "tests/support/ledger_builder.h"

namespace {

using heapledger::collector::LedgerReader;
using heapledger::collector::PythonFigures;
using heapledger::testing::LedgerBuilder;
namespace ledger = heapledger::ledger;

void Check(const PythonFigures& python) {
  if (python.heap && python.heap->block_bytes > python.heap->arena_bytes) {
    std::abort();
  }
  if (!python.types) return;
  std::uint64_t sum = 0;
  for (const auto& [name, objects] : python.types->named) {
    if (name.empty()) std::abort();
    sum += objects;
  }
  if (sum > python.types->objects) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::preload::MallocStats stats;
  const bool whole = heapledger::preload::ParseMallocStats(
      reinterpret_cast<const char*>(data), size, &stats);
  if (whole && stats.block_bytes > stats.arena_bytes) std::abort();

  LedgerBuilder builder(ledger::kMinimumCapBytes);
  const std::size_t page =
      builder.AddExtent(ledger::ExtentKind::kPython, 0, 0, 1);
  std::memcpy(builder.data() + page * ledger::kPageBytes, data,
              std::min<std::size_t>(size, ledger::kPageBytes));
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  if (descriptor < 0 ||
      ftruncate(descriptor, static_cast<off_t>(builder.size())) != 0 ||
      pwrite(descriptor, builder.data(), builder.used_bytes(), 0) !=
          static_cast<ssize_t>(builder.used_bytes())) {
    std::abort();
  }
  auto reader = LedgerReader::Adopt(descriptor, "fuzz");
  if (!reader.ok()) std::abort();
  const auto snapshot = (*reader)->Take();
  if (!snapshot.ok() || snapshot->python == nullptr) std::abort();
  Check(*snapshot->python);
  return 0;
}
