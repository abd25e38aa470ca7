// SPDX-License-Identifier: Apache-2.0
// A WalkEnv for tests that walk real stacks: modules from _dl_find_object, the
// rule cache over arrays of its own.
#pragma once

#include <dlfcn.h>
#include <pthread.h>

#include <cstdint>

#include "preload/unwind/load_segment.h"
#include "preload/unwind/walker.h"

namespace heapledger::testing {

namespace unwind = heapledger::preload::unwind;

class GlibcWalkEnv {
 public:
  GlibcWalkEnv() { cache_.Attach(entries_, kEntries, slots_, kSlots); }

  unwind::RuleCache& rule_cache() { return cache_; }

  bool FindSection(std::uint64_t pc, unwind::EhFrameSection* section) {
    dl_find_object object;
    if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0 ||
        object.dlfo_eh_frame == nullptr) {
      return false;
    }
    section->eh_frame_hdr = Address(object.dlfo_eh_frame);
    section->readable = unwind::FindLoadSegment(
        {Address(object.dlfo_map_start), Address(object.dlfo_map_end)},
        section->eh_frame_hdr);
    return section->readable.size() != 0;
  }

 private:
  static constexpr std::uint32_t kEntries = 1 << 15;
  static constexpr std::uint32_t kSlots = 1024;

  static std::uint64_t Address(const void* pointer) {
    return reinterpret_cast<std::uint64_t>(pointer);
  }

  alignas(64) unwind::RuleCache::Entry entries_[kEntries] = {};
  unwind::RuleDictionary::Slot slots_[kSlots] = {};
  unwind::RuleCache cache_;
};

// The calling thread's stack. Allocates; take it once per thread.
inline unwind::StackBounds ThreadStackBounds() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  void* low = nullptr;
  std::size_t bytes = 0;
  pthread_attr_getstack(&attributes, &low, &bytes);
  pthread_attr_destroy(&attributes);
  const auto start = reinterpret_cast<std::uint64_t>(low);
  return {start, start + bytes};
}

}  // namespace heapledger::testing
