// SPDX-License-Identifier: Apache-2.0
// A WalkEnv for tests that walk real stacks: modules as the shim finds them,
// the rule cache over arrays of its own.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "preload/loaded_object.h"
#include "preload/unwind/walker.h"

namespace heapledger::testing {

namespace unwind = heapledger::preload::unwind;

class GlibcWalkEnv {
 public:
  GlibcWalkEnv() { cache_.Attach(entries_, kEntries, slots_, kSlots); }

  unwind::RuleCache& rule_cache() { return cache_; }

  bool FindSection(std::uint64_t pc, unwind::EhFrameSection* section) {
    preload::LoadedObject object;
    if (!preload::FindLoadedObject(pc, &object)) return false;
    section->eh_frame_hdr = object.eh_frame_hdr;
    section->readable = object.SegmentAround(object.eh_frame_hdr);
    return section->readable.size() != 0;
  }

 private:
  static constexpr std::uint32_t kEntries = 1 << 15;
  static constexpr std::uint32_t kSlots = 1024;

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
