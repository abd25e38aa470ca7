// SPDX-License-Identifier: Apache-2.0
// Stacks, each under a tag, -> callsite ids: an index by the hash of both (64
// bits, compared in full), which is what a known stack costs: one look-up. A
// new one is written down as a path in a tree: parent stack, frame. Stacks of
// one thread share their outer parts by what the caller remembers of the last
// one, others by hints: a path may be there twice, which costs its bytes and
// nothing else, as a stack is known by its hash and not by its place.
//
// Thread safety: any thread and signal handlers, no locks.
//
// On failure: no room for a new frame, node, callsite or its counters gives
// ledger::kOverflowCallsite, and the reason is counted. Counts stay exact.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/chunked_table.h"
#include "preload/core/intern_table.h"
#include "preload/core/module_table.h"
#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

// A tag beside the flags of a callsite: in the upper half of their word, so
// that a stack without one is what it is without tags.
inline constexpr std::uint32_t kTagShift = 16;
static_assert(ledger::kCallsiteIgnored < 1U << kTagShift);
constexpr std::uint32_t TagBits(std::uint32_t tag) { return tag << kTagShift; }

// A walked stack. Frames innermost first; bit 63 of a frame marks a pc that is
// the interrupted instruction itself (see ledger::kFramePcIsExact), bit 62 a
// place in Python code (ledger::PythonWord).
struct StackView {
  const std::uint64_t* frames = nullptr;
  std::uint32_t depth = 0;
  std::uint32_t flags = 0;  // ledger::CallsiteFlag and TagBits()

  static constexpr std::uint64_t kExactPc = std::uint64_t{1} << 63;
};

// What tells a stack from others, but for its frames; flags as in StackView.
struct StackKey {
  std::uint64_t hash = 0;
  std::uint32_t depth = 0;
  std::uint32_t flags = 0;

  // `frames_hash` by ExtendStackHash() from the outermost frame inwards.
  static constexpr StackKey Of(std::uint64_t frames_hash, std::uint32_t depth,
                               std::uint32_t flags) {
    return {FinishStackHash(frames_hash, flags), depth, flags};
  }
};

class CallsiteTable {
 public:
  static constexpr std::uint32_t kMaxIds = 1U << 22;
  static constexpr std::uint32_t kCounterChunks =
      kMaxIds / ledger::kRecordsPerChunk<ledger::CounterCell>;
  using Counters = ChunkedTable<ledger::CounterCell, kCounterChunks>;
  // Enough for the outer parts that the threads of a program go back to.
  static constexpr std::uint32_t kNodeHintSets = 8192;
  static constexpr std::uint32_t kFewestHintSets = 1024;

  // Makes the table usable. Like everything in Books it lies in zeroed memory
  // on which no constructor ran.
  // Ids below `first_id` are left to callsites inherited over a fork.
  template <ModuleEnv Env>
  bool Open(Env& env, LedgerFile<Env>& file, std::uint32_t first_id) {
    // Id 0 of every table means "none".
    next_frame_.store(1, std::memory_order_relaxed);
    next_node_.store(1, std::memory_order_relaxed);
    next_callsite_.store(first_id, std::memory_order_relaxed);
    modules_.Open();
    file.header().callsite_end.store(first_id, std::memory_order_relaxed);
    return frame_index_.Open(env, 9) && stack_index_.Open(env, 9) &&
           Publish(env, file, ledger::kOverflowCallsite, 0,
                   ledger::kCallsiteOverflow, 0);
  }

  static StackKey KeyOf(const StackView& stack) {
    std::uint64_t hash = kEmptyStackHash;
    for (std::uint32_t i = stack.depth; i > 0; --i) {
      hash = ExtendStackHash(hash, stack.frames[i - 1]);
    }
    return StackKey::Of(hash, stack.depth, stack.flags);
  }

  // The callsite of a known stack by its hash, else 0. Here and below:
  // `generation` is that of modules at any moment of the call, since modules
  // that a live stack returns into are not unloaded.
  template <ModuleEnv Env>
  std::uint32_t Find(Env& env, LedgerFile<Env>& file, std::uint64_t hash,
                     std::uint32_t generation) {
    return stack_index_.Find(hash, generation, [&](std::uint32_t id) {
      return IsCurrent(env, file, id);
    });
  }

  // The node of a stack whose outer frames are `parent` (0: none) and whose
  // innermost is `tagged_pc`; 0 when there is no room.
  template <ModuleEnv Env>
  std::uint32_t Extend(Env& env, LedgerFile<Env>& file,
                       std::uint32_t generation, std::uint32_t parent,
                       std::uint64_t tagged_pc) {
    const std::uint32_t frame = InternFrame(env, file, generation, tagged_pc);
    return frame == 0 ? 0 : NodeOfFrame(file, parent, frame);
  }

  // The node of a whole stack.
  template <ModuleEnv Env>
  std::uint32_t NodeOf(Env& env, LedgerFile<Env>& file,
                       std::uint32_t generation, const StackView& stack) {
    std::uint32_t node = 0;
    for (std::uint32_t i = stack.depth; i > 0; --i) {
      node = Extend(env, file, generation, node, stack.frames[i - 1]);
      if (node == 0) return 0;
    }
    return node;
  }

  // A callsite for a stack that Find() did not know; `node` is its node.
  template <ModuleEnv Env>
  std::uint32_t Add(Env& env, LedgerFile<Env>& file, std::uint32_t generation,
                    std::uint32_t node, const StackKey& stack) {
    if (node == 0 && stack.depth > 0) return Overflow(file);
    const std::uint32_t id = TakeId(next_callsite_, kMaxIds);
    if (id == 0) {
      file.CountDegraded(ledger::Degraded::kCallsitesFull);
      return ledger::kOverflowCallsite;
    }
    if (!Publish(env, file, id, node, stack.flags, stack.depth)) {
      return Overflow(file);
    }
    file.header().callsite_end.store(id + 1, std::memory_order_relaxed);
    return stack_index_.Insert(env, stack.hash, generation, id)
               ? id
               : Overflow(file);
  }

  // Gives the id of an inherited callsite its stack anew, in this process' own
  // ledger; false when there is no room.
  template <ModuleEnv Env>
  bool Inherit(Env& env, LedgerFile<Env>& file, std::uint32_t generation,
               std::uint32_t id, const StackView& stack) {
    const std::uint32_t node = NodeOf(env, file, generation, stack);
    if (node == 0 && stack.depth > 0) return false;
    return Publish(env, file, id, node,
                   stack.flags | ledger::kCallsiteInherited, stack.depth);
  }

  // Looks which modules are still mapped. For after a dlclose; the generation
  // must change before and after.
  template <ModuleEnv Env>
  void ModulesChanged(Env& env, LedgerFile<Env>& file) {
    modules_.Refresh(env, file);
  }

  // Reads a stack back, innermost first, into room for `capacity` frames, with
  // its flags and tag as in StackView. Returns its depth. Bounded and safe on a
  // ledger that was scribbled over.
  std::uint32_t Read(std::uint32_t id, std::uint64_t* frames,
                     std::uint32_t capacity, std::uint32_t* flags) const {
    const ledger::CallsiteRecord* const record = callsites_.At(id);
    *flags = 0;
    if (record == nullptr) return 0;
    *flags = record->flags | TagBits(record->tag);
    std::uint32_t depth = 0;
    for (std::uint32_t node = record->node; node != 0 && depth < capacity;) {
      const ledger::StackNode* const step = nodes_.At(node);
      if (step == nullptr) break;
      const std::uint64_t word =
          step->parent_frame.load(std::memory_order_acquire);
      const ledger::FrameRecord* const frame =
          frames_.At(ledger::StackNode::Frame(word));
      if (frame == nullptr) break;
      frames[depth++] =
          frame->pc.load(std::memory_order_relaxed) |
          ((frame->flags & ledger::kFramePcIsExact) != 0 ? StackView::kExactPc
                                                         : 0);
      node = ledger::StackNode::Parent(word);
    }
    return depth;
  }

  // CallsiteFlag bits of a callsite; 0 where there is none.
  std::uint32_t FlagsOf(std::uint32_t id) const {
    const ledger::CallsiteRecord* const record = callsites_.At(id);
    return record == nullptr ? 0 : record->flags;
  }

  // The counters of shard 0, which exist for every callsite.
  Counters& base_counters() { return base_counters_; }
  const Counters& base_counters() const { return base_counters_; }
  std::uint32_t end() const {
    return next_callsite_.load(std::memory_order_relaxed);
  }

 private:
  // The next id of a table, or 0 where they are used up.
  static std::uint32_t TakeId(std::atomic<std::uint32_t>& next,
                              std::uint32_t end) {
    const std::uint32_t id = next.fetch_add(1, std::memory_order_relaxed);
    if (id < end) return id;
    next.store(end, std::memory_order_relaxed);
    return 0;
  }

  template <typename Env>
  std::uint32_t InternFrame(Env& env, LedgerFile<Env>& file,
                            std::uint32_t generation, std::uint64_t tagged_pc) {
    const bool is_python = (tagged_pc & ledger::PythonWord::kMark) != 0;
    // 0 would be no key. The index spreads keys by their lower bits, where a
    // Python word has the line: turned, the code is there too.
    const std::uint64_t key =
        is_python ? std::rotl(tagged_pc, 32) : tagged_pc + 1;
    const std::uint32_t known =
        frame_index_.Find(key, generation, [&](std::uint32_t id) {
          const ledger::FrameRecord* const record = frames_.At(id);
          return record != nullptr && IsCurrent(env, file, *record);
        });
    if (known != 0) return known;
    const std::uint64_t pc = tagged_pc & ~StackView::kExactPc;
    const std::uint32_t module =
        is_python ? ModuleTable::kNone : modules_.IdOf(env, file, pc);
    const std::uint32_t id =
        TakeId(next_frame_, decltype(frames_)::kMaxRecords);
    ledger::FrameRecord* const record =
        id == 0 ? nullptr : frames_.Ensure(file, id);
    if (record == nullptr) return 0;
    record->module = module;
    record->flags = is_python ? ledger::kFrameIsPython
                              : (pc == tagged_pc ? 0 : ledger::kFramePcIsExact);
    record->pc.store(pc, std::memory_order_release);
    file.header().frame_end.store(id + 1, std::memory_order_relaxed);
    return frame_index_.Insert(env, key, generation, id) ? id : 0;
  }

  // Whether the code of a frame, or of all frames of a callsite, is still what
  // it was. It may have come back.
  template <typename Env>
  bool IsCurrent(Env& env, LedgerFile<Env>& file,
                 const ledger::FrameRecord& frame) {
    return modules_.IsLoaded(frame.module) ||
           modules_.IdOf(env, file, frame.pc.load(std::memory_order_relaxed)) ==
               frame.module;
  }
  template <typename Env>
  [[gnu::noinline]] bool IsCurrent(Env& env, LedgerFile<Env>& file,
                                   std::uint32_t callsite) {
    const ledger::CallsiteRecord* const record = callsites_.At(callsite);
    if (record == nullptr) return false;
    std::uint32_t node = record->node;
    for (std::uint32_t i = 0; i < record->depth; ++i) {
      const ledger::StackNode* const step = nodes_.At(node);
      if (step == nullptr) return false;
      const std::uint64_t word =
          step->parent_frame.load(std::memory_order_relaxed);
      const ledger::FrameRecord* const frame =
          frames_.At(ledger::StackNode::Frame(word));
      if (frame == nullptr || !IsCurrent(env, file, *frame)) return false;
      node = ledger::StackNode::Parent(word);
    }
    return true;
  }

  // Sets of hints in use: more as the tree grows, so that a small one touches
  // few pages. Hints that are not found any more when it grows are just lost.
  std::uint32_t HintMask() const {
    const std::uint32_t wanted = next_node_.load(std::memory_order_relaxed) / 4;
    if (wanted <= kFewestHintSets) return kFewestHintSets - 1;
    return wanted >= kNodeHintSets ? kNodeHintSets - 1
                                   : std::bit_ceil(wanted) - 1;
  }

  template <typename Env>
  std::uint32_t NodeOfFrame(LedgerFile<Env>& file, std::uint32_t parent,
                            std::uint32_t frame) {
    const std::uint64_t word = ledger::StackNode::Pack(parent, frame);
    const std::uint64_t hash = Mix(word, 2);
    std::atomic<std::uint64_t>* const hints = node_hints_[hash & HintMask()];
    for (int way = 0; way < 2; ++way) {
      const std::uint64_t hint = hints[way].load(std::memory_order_acquire);
      if ((hint ^ hash) >> 32 != 0) continue;
      const auto id = static_cast<std::uint32_t>(hint);
      const ledger::StackNode* const known = nodes_.At(id);
      if (known != nullptr &&
          known->parent_frame.load(std::memory_order_relaxed) == word) {
        if (way != 0) PutHint(hints, hint);
        return id;
      }
    }
    const std::uint32_t id = TakeId(next_node_, decltype(nodes_)::kMaxRecords);
    ledger::StackNode* const record =
        id == 0 ? nullptr : nodes_.Ensure(file, id);
    if (record == nullptr) return 0;
    record->parent_frame.store(word, std::memory_order_release);
    file.header().node_end.store(id + 1, std::memory_order_relaxed);
    PutHint(hints, hash >> 32 << 32 | id);
    return id;
  }

  // In front of a set, whose last one goes, or moves there from behind.
  static void PutHint(std::atomic<std::uint64_t>* hints, std::uint64_t hint) {
    hints[1].store(hints[0].load(std::memory_order_relaxed),
                   std::memory_order_release);
    hints[0].store(hint, std::memory_order_release);
  }

  // Writes a callsite's record once its counters of shard 0 exist.
  template <typename Env>
  bool Publish(Env& env, LedgerFile<Env>& file, std::uint32_t id,
               std::uint32_t node, std::uint32_t flags, std::uint32_t depth) {
    if (base_counters_.Ensure(file, id, 0) == nullptr) return false;
    ledger::CallsiteRecord* const record = callsites_.Ensure(file, id);
    if (record == nullptr) return false;
    record->node = node;
    record->flags = flags & ((1U << kTagShift) - 1);
    record->depth = static_cast<std::uint16_t>(depth);
    record->tag = static_cast<std::uint16_t>(flags >> kTagShift);
    record->first_seen_monotonic_ns = env.NowNs();
    record->published.store(1, std::memory_order_release);
    return true;
  }

  template <typename Env>
  static std::uint32_t Overflow(LedgerFile<Env>& file) {
    file.CountDegraded(ledger::Degraded::kLedgerFull);
    return ledger::kOverflowCallsite;
  }

  ChunkedTable<ledger::FrameRecord, 4096> frames_;
  ChunkedTable<ledger::StackNode, 8192> nodes_;
  ChunkedTable<ledger::CallsiteRecord, kCounterChunks> callsites_;
  Counters base_counters_;
  ModuleTable modules_;
  InternTable frame_index_;  // tagged pc + 1 -> frame
  InternTable stack_index_;  // stack hash -> callsite
  // Nodes that were made not long ago, by the hash of what they hold: its upper
  // half, to be looked at first, over the id.
  std::atomic<std::uint64_t> node_hints_[kNodeHintSets][2] = {};
  std::atomic<std::uint32_t> next_frame_{0};
  std::atomic<std::uint32_t> next_node_{0};
  std::atomic<std::uint32_t> next_callsite_{0};
};

}  // namespace heapledger::preload
