// SPDX-License-Identifier: Apache-2.0
// Hostile CFI: no bytes of .eh_frame may make the parser read outside them,
// loop or overflow, nor a walk by their rules read outside the stack.
//
// Input: u32 offset of .eh_frame_hdr, i32 offset of a pc from the first byte,
// then the bytes of the load segment.
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "preload/unwind/load_segment.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload::unwind {
namespace {

class HostileEnv {
 public:
  explicit HostileEnv(const EhFrameSection& section) : section_(section) {
    cache_.Attach(entries_, kEntries, slots_, kSlots);
  }
  RuleCache& rule_cache() { return cache_; }
  bool FindSection(std::uint64_t, EhFrameSection* section) {
    *section = section_;
    return true;
  }

 private:
  static constexpr std::uint32_t kEntries = 256;
  static constexpr std::uint32_t kSlots = 16;
  RuleCache::Entry entries_[kEntries] = {};
  RuleDictionary::Slot slots_[kSlots] = {};
  RuleCache cache_;
  EhFrameSection section_;
};

constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kStackWords = kPage / 8;
constexpr std::uint32_t kMaxDepth = 64;

// One page between two that cannot be touched: reads of the stack are not
// instrumented.
std::uint64_t* GuardedPage() {
  static std::uint8_t* const pages = [] {
    void* const memory =
        mmap(nullptr, 3 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) __builtin_trap();
    auto* const first = static_cast<std::uint8_t*>(memory);
    mprotect(first + kPage, kPage, PROT_READ | PROT_WRITE);
    return first + kPage;
  }();
  return reinterpret_cast<std::uint64_t*>(pages);
}

// A stack whose words look like what lies on stacks: addresses of the stack and
// of the code, in turn.
void WalkHostileStack(const EhFrameSection& section, std::uint64_t pc) {
  std::uint64_t* const stack = GuardedPage();
  const auto low = reinterpret_cast<std::uint64_t>(stack);
  for (std::uint32_t i = 0; i < kStackWords; ++i) {
    stack[i] = i % 3 == 0 ? low + (i * 7 % kStackWords) * 8 : pc;
  }
  HostileEnv env(section);
  std::uint64_t frames[kMaxDepth];
  const StackBounds bounds{low, low + kPage};
  for (std::uint32_t i = 0; i < 4; ++i) {
    const Registers start{pc + i, low + i * 1352, low + i * 1352 + 64};
    const WalkResult result = Walk(env, start, bounds, frames, kMaxDepth);
    if (result.depth > kMaxDepth) __builtin_trap();
  }
}

void Run(const std::uint8_t* data, std::size_t size) {
  std::uint32_t hdr_offset = 0;
  std::int32_t pc_offset = 0;
  if (size < sizeof hdr_offset + sizeof pc_offset) return;
  std::memcpy(&hdr_offset, data, sizeof hdr_offset);
  std::memcpy(&pc_offset, data + sizeof hdr_offset, sizeof pc_offset);
  data += sizeof hdr_offset + sizeof pc_offset;
  size -= sizeof hdr_offset + sizeof pc_offset;
  // A copy of its own, so that a sanitizer sees a read past either end.
  const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size]);
  std::memcpy(bytes.get(), data, size);
  const auto start = reinterpret_cast<std::uint64_t>(bytes.get());
  const EhFrameSection section{start + hdr_offset, {start, start + size}};
  const std::uint64_t pc =
      start + static_cast<std::uint64_t>(std::int64_t{pc_offset});
  for (std::uint64_t i = 0; i < 8; ++i) {
    const CfiAnswer answer = ReadCfi(section, pc + i, kDwarfRbx);
    const RuleCode code = EncodeRule(answer.rule);
    if (code != kNoRuleCode && DecodeRule(code) != answer.rule) {
      __builtin_trap();
    }
    if (!answer.rule.HasCfa()) continue;
    const std::uint64_t word = RuleToWord(answer.rule);
    if (word != 0 && RuleFromWord(word) != answer.rule) __builtin_trap();
  }
  WalkHostileStack(section, pc);
  if (size >= 4096) {
    (void)FindLoadSegment({start, start + size}, section.eh_frame_hdr);
  }
}

}  // namespace
}  // namespace heapledger::preload::unwind

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::preload::unwind::Run(data, size);
  return 0;
}
