// SPDX-License-Identifier: Apache-2.0
// Stacks -> callsite ids, exact: frames, then stacks as paths in a tree (parent
// stack, frame), then the callsite of the innermost node. Each step compares
// the record itself, so two different stacks never share a callsite. In front
// of that stands an index by the hash of the whole stack (64 bits, compared in
// full), which is what a known stack costs: one look-up.
//
// Thread safety: any thread and signal handlers, no locks.
//
// On failure: no room for a new frame, node, callsite or its counters gives
// ledger::kOverflowCallsite, and the reason is counted. Counts stay exact.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/chunked_table.h"
#include "preload/core/intern_table.h"
#include "preload/core/module_table.h"
#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

// A walked stack. Frames innermost first; bit 63 of a frame marks a pc that is
// the interrupted instruction itself (see ledger::kFramePcIsExact).
struct StackView {
  const std::uint64_t* frames = nullptr;
  std::uint32_t depth = 0;
  std::uint32_t flags = 0;  // ledger::CallsiteFlag

  static constexpr std::uint64_t kExactPc = std::uint64_t{1} << 63;
};

// What tells a stack from others, but for its frames.
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
    stack_hashes_ = static_cast<std::atomic<std::uint64_t>*>(
        env.MapPrivate(kMaxIds * sizeof(std::uint64_t)));
    return stack_hashes_ != nullptr && frame_index_.Open(env, 10) &&
           node_index_.Open(env, 12) && callsite_index_.Open(env, 10) &&
           stack_index_.Open(env, 10) &&
           Publish(file, ledger::kOverflowCallsite, 0,
                   ledger::kCallsiteOverflow, 0);
  }

  static StackKey KeyOf(const StackView& stack) {
    std::uint64_t hash = kEmptyStackHash;
    for (std::uint32_t i = stack.depth; i > 0; --i) {
      hash = ExtendStackHash(hash, stack.frames[i - 1]);
    }
    return StackKey::Of(hash, stack.depth, stack.flags);
  }

  // The callsite of a known stack by its hash, else 0.
  std::uint32_t Find(std::uint64_t hash) const {
    return stack_index_.Find(hash, [&](std::uint32_t id) {
      return stack_hashes_[id].load(std::memory_order_relaxed) == hash;
    });
  }

  // The node of a stack whose outer frames are `parent` (0: none) and whose
  // innermost is `tagged_pc`; 0 when there is no room.
  template <ModuleEnv Env>
  std::uint32_t Extend(Env& env, LedgerFile<Env>& file, std::uint32_t parent,
                       std::uint64_t tagged_pc) {
    const std::uint32_t frame = InternFrame(env, file, tagged_pc);
    return frame == 0 ? 0 : InternNode(env, file, parent, frame);
  }

  // The node of a whole stack.
  template <ModuleEnv Env>
  std::uint32_t NodeOf(Env& env, LedgerFile<Env>& file,
                       const StackView& stack) {
    std::uint32_t node = 0;
    for (std::uint32_t i = stack.depth; i > 0; --i) {
      node = Extend(env, file, node, stack.frames[i - 1]);
      if (node == 0) return 0;
    }
    return node;
  }

  // The callsite of a stack that Find() did not know; `node` is its node.
  template <ModuleEnv Env>
  std::uint32_t Intern(Env& env, LedgerFile<Env>& file, std::uint32_t node,
                       const StackKey& stack) {
    if (node == 0 && stack.depth > 0) return Overflow(file);
    const std::uint32_t id = InternCallsite(env, file, node, stack);
    if (id == ledger::kOverflowCallsite) return id;
    stack_hashes_[id].store(stack.hash, std::memory_order_relaxed);
    (void)stack_index_.Insert(env, stack.hash, id);
    return id;
  }

  // Gives the id of an inherited callsite its stack anew, in this process' own
  // ledger; false when there is no room.
  template <ModuleEnv Env>
  bool Inherit(Env& env, LedgerFile<Env>& file, std::uint32_t id,
               const StackView& stack) {
    const std::uint32_t node = NodeOf(env, file, stack);
    if (node == 0 && stack.depth > 0) return false;
    return Publish(file, id, node, stack.flags | ledger::kCallsiteInherited,
                   stack.depth);
  }

  // Forgets what depends on which modules are mapped. For after a dlclose.
  template <ModuleEnv Env>
  void ModulesChanged(Env& env, LedgerFile<Env>& file) {
    modules_.Refresh(env, file);
    stack_index_.Clear(env);
  }

  // Reads a stack back, innermost first, into room for `capacity` frames.
  // Returns its depth. Bounded and safe on a ledger that was scribbled over.
  std::uint32_t Read(std::uint32_t id, std::uint64_t* frames,
                     std::uint32_t capacity, std::uint32_t* flags) const {
    const ledger::CallsiteRecord* const record = callsites_.At(id);
    *flags = 0;
    if (record == nullptr) return 0;
    *flags = record->flags;
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

  // The counters of shard 0, which exist for every callsite.
  Counters& base_counters() { return base_counters_; }
  const Counters& base_counters() const { return base_counters_; }
  std::uint32_t end() const {
    return next_callsite_.load(std::memory_order_relaxed);
  }

 private:
  template <typename Env>
  std::uint32_t InternFrame(Env& env, LedgerFile<Env>& file,
                            std::uint64_t tagged_pc) {
    const std::uint64_t pc = tagged_pc & ~StackView::kExactPc;
    const std::uint32_t flags = pc == tagged_pc ? 0 : ledger::kFramePcIsExact;
    const std::uint64_t hash = Mix(tagged_pc, 1);
    const std::uint32_t known = FindFrame(hash, pc, flags);
    if (known != 0) return known;
    // Finding the module may bring one back to life, and its frames with it.
    const std::uint32_t module = modules_.IdOf(env, file, pc);
    const std::uint32_t revived = FindFrame(hash, pc, flags);
    if (revived != 0) return revived;
    const std::uint32_t id =
        next_frame_.fetch_add(1, std::memory_order_relaxed);
    ledger::FrameRecord* const record =
        id > InternTable::kMaxId ? nullptr : frames_.Ensure(file, id);
    if (record == nullptr) return 0;
    record->module = module;
    record->flags = flags;
    record->pc.store(pc, std::memory_order_release);
    file.header().frame_end.store(id + 1, std::memory_order_relaxed);
    return frame_index_.Insert(env, hash, id) ? id : 0;
  }

  std::uint32_t FindFrame(std::uint64_t hash, std::uint64_t pc,
                          std::uint32_t flags) const {
    return frame_index_.Find(hash, [&](std::uint32_t id) {
      const ledger::FrameRecord* const record = frames_.At(id);
      return record != nullptr &&
             record->pc.load(std::memory_order_relaxed) == pc &&
             record->flags == flags && modules_.IsLoaded(record->module);
    });
  }

  template <typename Env>
  std::uint32_t InternNode(Env& env, LedgerFile<Env>& file,
                           std::uint32_t parent, std::uint32_t frame) {
    const std::uint64_t word = ledger::StackNode::Pack(parent, frame);
    const std::uint64_t hash = Mix(word, 2);
    const std::uint32_t known = node_index_.Find(hash, [&](std::uint32_t id) {
      const ledger::StackNode* const record = nodes_.At(id);
      return record != nullptr &&
             record->parent_frame.load(std::memory_order_relaxed) == word;
    });
    if (known != 0) return known;
    const std::uint32_t id = next_node_.fetch_add(1, std::memory_order_relaxed);
    ledger::StackNode* const record =
        id > InternTable::kMaxId ? nullptr : nodes_.Ensure(file, id);
    if (record == nullptr) return 0;
    record->parent_frame.store(word, std::memory_order_release);
    file.header().node_end.store(id + 1, std::memory_order_relaxed);
    return node_index_.Insert(env, hash, id) ? id : 0;
  }

  template <typename Env>
  std::uint32_t InternCallsite(Env& env, LedgerFile<Env>& file,
                               std::uint32_t node, const StackKey& stack) {
    const std::uint64_t hash = Mix(node, std::uint64_t{stack.flags} + 3);
    const std::uint32_t known =
        callsite_index_.Find(hash, [&](std::uint32_t id) {
          const ledger::CallsiteRecord* const record = callsites_.At(id);
          return record != nullptr && record->node == node &&
                 record->flags == stack.flags;
        });
    if (known != 0) return known;
    const std::uint32_t id =
        next_callsite_.fetch_add(1, std::memory_order_relaxed);
    if (id >= kMaxIds) {
      next_callsite_.store(kMaxIds, std::memory_order_relaxed);
      file.CountDegraded(ledger::Degraded::kCallsitesFull);
      return ledger::kOverflowCallsite;
    }
    if (!Publish(file, id, node, stack.flags, stack.depth)) {
      return Overflow(file);
    }
    file.header().callsite_end.store(id + 1, std::memory_order_relaxed);
    return callsite_index_.Insert(env, hash, id) ? id : Overflow(file);
  }

  // Writes a callsite's record once its counters of shard 0 exist.
  template <typename Env>
  bool Publish(LedgerFile<Env>& file, std::uint32_t id, std::uint32_t node,
               std::uint32_t flags, std::uint32_t depth) {
    if (base_counters_.Ensure(file, id, 0) == nullptr) return false;
    ledger::CallsiteRecord* const record = callsites_.Ensure(file, id);
    if (record == nullptr) return false;
    record->node = node;
    record->flags = flags;
    record->depth = depth;
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
  InternTable frame_index_;
  InternTable node_index_;
  InternTable callsite_index_;
  InternTable stack_index_;
  std::atomic<std::uint64_t>* stack_hashes_ = nullptr;
  std::atomic<std::uint32_t> next_frame_{0};
  std::atomic<std::uint32_t> next_node_{0};
  std::atomic<std::uint32_t> next_callsite_{0};
};

}  // namespace heapledger::preload
