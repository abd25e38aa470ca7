// SPDX-License-Identifier: Apache-2.0
// Heaps for tests of collector/profile: snapshots whose frames are shared by
// stacks, as in a real ledger, with names that the test chooses.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "collector/ledger/naming.h"
#include "collector/profile/profile.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::testing {

// The snapshot's frame i has the names that it was given.
class NamesByIndex final : public FrameNames {
 public:
  const ResolvedPc& Resolve(const LedgerSnapshot&,
                            std::uint32_t frame_index) override {
    return by_index.at(frame_index);
  }
  std::vector<ResolvedPc> by_index;
};

inline ResolvedFrame Function(std::string function, std::string file = "",
                              std::uint32_t line = 0) {
  ResolvedFrame frame;
  frame.function = std::move(function);
  frame.module = "prog";
  frame.file = std::move(file);
  frame.line = line;
  return frame;
}

class HeapMaker {
 public:
  explicit HeapMaker(std::uint64_t lineage = 1) {
    snapshot_.lineage = lineage;
    snapshot_.identity.pid = 4242;
    snapshot_.identity.exe = "/usr/bin/prog";
    snapshot_.mode = MeasureMode::kExact;
    snapshot_.stack_detail = StackDetail::kFull;
    snapshot_.state = ProcessState::kLive;
    snapshot_.taken_realtime_ns = 1'700'000'000'000'000'000;
    ModuleInfo program;
    program.path = "/usr/bin/prog";
    program.build_id = "\xaa\xbb";
    program.load_bias = program.start = 0x10000;
    program.end = 0x1000000;
    tables_.modules.push_back(program);
  }

  // `functions` innermost first: those inlined, then the physical one.
  std::uint32_t AddFrame(ResolvedPc functions) {
    const auto index = static_cast<std::uint32_t>(tables_.frames.size());
    const std::uint64_t pc = tables_.modules[0].load_bias + 16 * (index + 1);
    for (std::size_t i = 0; i < functions.size(); ++i) {
      functions[i].rel_pc = pc - tables_.modules[0].load_bias;
      functions[i].inlined = i + 1 < functions.size();
    }
    tables_.frames.push_back({pc, 0, false});
    names_.by_index.push_back(std::move(functions));
    return index;
  }
  std::uint32_t AddFrame(const std::string& function) {
    return AddFrame(ResolvedPc{Function(function)});
  }

  std::uint32_t AddPythonFrame(const std::string& function,
                               const std::string& file, std::uint32_t line) {
    const auto index = static_cast<std::uint32_t>(tables_.frames.size());
    FrameInfo& frame = tables_.frames.emplace_back();
    frame.code = static_cast<std::uint32_t>(tables_.codes.size());
    frame.line = line;
    frame.pc = PythonPc(std::uint64_t{5} << 22 | line, frame.code);
    CodeInfo& code = tables_.codes.emplace_back();
    code.name = function;
    code.file = file;
    ResolvedFrame resolved = Function(function, file, line);
    resolved.python = true;
    names_.by_index.push_back({resolved});
    return index;
  }

  // Frames innermost first.
  std::uint32_t AddCallsite(const std::vector<std::uint32_t>& stack,
                            std::uint64_t bytes = 0,
                            std::uint64_t objects = 0) {
    const auto index = static_cast<std::uint32_t>(tables_.callsites.size());
    CallsiteInfo info;
    info.id = index + 2;
    info.stack_begin = static_cast<std::uint32_t>(tables_.stacks.size());
    info.stack_size = static_cast<std::uint32_t>(stack.size());
    tables_.stacks.insert(tables_.stacks.end(), stack.begin(), stack.end());
    tables_.callsites.push_back(info);
    snapshot_.counters.emplace_back();
    Allocate(index, bytes, objects);
    return index;
  }
  void Allocate(std::uint32_t callsite, std::uint64_t bytes,
                std::uint64_t objects) {
    snapshot_.counters[callsite].allocated_bytes += bytes;
    snapshot_.counters[callsite].allocated_objects += objects;
  }
  void Free(std::uint32_t callsite, std::uint64_t bytes,
            std::uint64_t objects) {
    snapshot_.counters[callsite].freed_bytes += bytes;
    snapshot_.counters[callsite].freed_objects += objects;
  }

  CallsiteInfo& callsite(std::uint32_t index) {
    return tables_.callsites[index];
  }
  ModuleInfo& module() { return tables_.modules[0]; }
  // Gives a callsite a tag.
  void Tag(std::uint32_t callsite, TagInfo tag) {
    tables_.callsites[callsite].tag =
        static_cast<std::uint32_t>(tables_.tags.size());
    tables_.tags.push_back(std::move(tag));
  }
  LedgerSnapshot& snapshot() { return snapshot_; }
  FrameNames& names() { return names_; }

  [[nodiscard]] std::shared_ptr<const LedgerSnapshot> Take() const {
    auto taken = std::make_shared<LedgerSnapshot>(snapshot_);
    taken->tables = std::make_shared<SnapshotTables>(tables_);
    taken->totals = {};
    for (const HeapCounters& c : taken->counters) taken->totals += c;
    return taken;
  }
  [[nodiscard]] Profile Make() { return MakeProfile(Take(), names_); }

 private:
  LedgerSnapshot snapshot_;
  SnapshotTables tables_;
  NamesByIndex names_;
};

// A tree of calls as programs have them: callsites share their outer frames.
// The same seed gives the same heap; `round` changes the values alone.
inline HeapMaker RandomHeap(unsigned seed, std::size_t callsites,
                            std::size_t depth, unsigned round = 0) {
  std::mt19937 shape(seed);
  std::mt19937 values(seed + 1000 * round + 1);
  HeapMaker maker;
  const std::size_t functions = callsites / 5 + 10;
  for (std::size_t i = 0; i < functions; ++i) {
    const std::string name = "app::Component" + std::to_string(i % 97) +
                             "::Handle" + std::to_string(i) +
                             "(std::vector<int, std::allocator<int> > const&)";
    const std::string file = "/src/component" + std::to_string(i % 97) + ".cc";
    const auto line = static_cast<std::uint32_t>(i % 900 + 1);
    ResolvedPc pc = {Function(name, file, line)};
    if (i % 10 == 0) {
      pc.insert(pc.begin(), Function("inlined" + std::to_string(i)));
    }
    maker.AddFrame(std::move(pc));
  }
  std::vector<std::uint32_t> stack;  // outermost first
  for (std::size_t i = 0; i < callsites; ++i) {
    // Each differs from its neighbour in its inner frames.
    const std::size_t kept =
        stack.empty() ? 0 : stack.size() - 1 - shape() % (stack.size() / 2 + 1);
    stack.resize(kept);
    const std::size_t wanted = depth / 2 + shape() % (depth + 1);
    while (stack.size() < wanted || stack.empty()) {
      stack.push_back(static_cast<std::uint32_t>(shape() % functions));
    }
    const std::uint64_t objects = values() % 1000;
    const std::uint64_t size = values() % 4096 + 1;
    const auto callsite = maker.AddCallsite({stack.rbegin(), stack.rend()},
                                            objects * size, objects);
    const std::uint64_t freed = objects == 0 ? 0 : values() % (objects + 1);
    maker.Free(callsite, freed * size, freed);
    maker.callsite(callsite).truncated = shape() % 50 == 0;
    maker.callsite(callsite).cut = shape() % 50 == 0;
  }
  return maker;
}

}  // namespace heapledger::collector::testing
