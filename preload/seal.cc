// SPDX-License-Identifier: Apache-2.0
#include "preload/seal.h"

#include <atomic>

#include "preload/proc_facts.h"

namespace heapledger::preload {
namespace {

constinit std::atomic<bool> g_sealed{false};
constinit long g_filters = -1;  // at the start; negative: unknown

}  // namespace

void CountFilters() { g_filters = SeccompFilters(); }

void ProgramSealsItself() { g_sealed.store(true, std::memory_order_relaxed); }

bool HasSealedItself() { return g_sealed.load(std::memory_order_relaxed); }

bool HasMoreFilters() {
  const long filters = SeccompFilters();
  return filters >= 0 && g_filters >= 0 && filters != g_filters;
}

}  // namespace heapledger::preload
