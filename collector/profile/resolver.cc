// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/resolver.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "symbolizer/symbolizer.h"

namespace heapledger::collector {
namespace {

using symbolizer::Pc;
using symbolizer::PcKind;
using symbolizer::Quality;

Pc PcOf(const FrameInfo& frame) {
  return {frame.pc,
          frame.pc_is_exact ? PcKind::kExact : PcKind::kReturnAddress};
}

symbolizer::ModuleRef RefOf(const ModuleInfo& module) {
  return {module.path, BuildIdHex(module.build_id), module.load_bias,
          module.start, module.end};
}

ResolvedPc Convert(const std::vector<symbolizer::Frame>& frames,
                   const ModuleInfo* module) {
  ResolvedPc result;
  for (const symbolizer::Frame& frame : frames) {
    ResolvedFrame resolved;
    // A made-up name ("libfoo.so+0x12") is none: whoever shows it makes it.
    const bool named = frame.quality != Quality::kModuleOnly &&
                       frame.quality != Quality::kUnknown;
    if (named) resolved.function = frame.function;
    resolved.linkage_name = frame.linkage_name;
    resolved.module =
        module == nullptr ? "[jit]" : std::string(BaseName(module->path));
    if (module != nullptr) resolved.build_id = module->build_id;
    resolved.file = frame.file;
    resolved.line = frame.line;
    resolved.rel_pc = frame.rel_pc;
    resolved.inlined = frame.inlined;
    result.push_back(std::move(resolved));
  }
  return result;
}

class Resolver final : public FrameNames {
 public:
  const ResolvedPc& Resolve(const LedgerSnapshot& snapshot,
                            std::uint32_t frame_index) override {
    const std::lock_guard lock(mutex_);
    if (known_.size() > kMaximumLineages) known_.clear();
    std::vector<const ResolvedPc*>& known = known_[snapshot.lineage];
    if (known.size() <= frame_index) known.resize(frame_index + 1);
    if (known[frame_index] == nullptr) LearnAll(snapshot, known);
    return *known[frame_index];
  }

 private:
  // Processes come and go; their shortcuts into the cache are cheap to redo.
  static constexpr std::size_t kMaximumLineages = 512;

  // (module path, build id, rel_pc, exact): what two processes share.
  using Key = std::tuple<std::string, std::string, std::uint64_t, bool>;

  // All frames that the snapshot has and we have not, in one go per module:
  // the symbolizer is far quicker on a sorted batch.
  void LearnAll(const LedgerSnapshot& snapshot,
                std::vector<const ResolvedPc*>& known) {
    const std::vector<FrameInfo>& frames = snapshot.tables->frames;
    known.resize(std::max(known.size(), frames.size()));
    std::map<std::uint32_t, std::vector<std::uint32_t>> missing;  // by module
    for (std::uint32_t i = 0; i < frames.size(); ++i) {
      if (known[i] == nullptr) missing[frames[i].module].push_back(i);
    }
    for (const auto& [module, indexes] : missing) {
      if (module == kNoModule) {
        LearnOutside(snapshot, indexes, known);
      } else {
        LearnModule(snapshot.tables->modules[module], frames, indexes, known);
      }
    }
  }

  void LearnModule(const ModuleInfo& module,
                   const std::vector<FrameInfo>& frames,
                   const std::vector<std::uint32_t>& indexes,
                   std::vector<const ResolvedPc*>& known) {
    std::vector<Pc> pcs;
    std::vector<std::uint32_t> fresh;
    for (const std::uint32_t index : indexes) {
      const auto cached = cache_.find(KeyOf(module, frames[index]));
      if (cached != cache_.end()) {
        known[index] = &cached->second;
      } else {
        pcs.push_back(PcOf(frames[index]));
        fresh.push_back(index);
      }
    }
    if (pcs.empty()) return;
    const auto resolved = symbolizer_.ResolveAll(RefOf(module), pcs);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const auto place = cache_.try_emplace(KeyOf(module, frames[fresh[i]]),
                                            Convert(resolved[i], &module));
      known[fresh[i]] = &place.first->second;
    }
  }

  // JIT code: names are of this process alone, and written while it runs.
  void LearnOutside(const LedgerSnapshot& snapshot,
                    const std::vector<std::uint32_t>& indexes,
                    std::vector<const ResolvedPc*>& known) {
    symbolizer_.set_perf_map({});
    // Most processes have none.
    (void)symbolizer_.LoadPerfMap(snapshot.identity.pid);
    for (const std::uint32_t index : indexes) {
      const FrameInfo& frame = snapshot.tables->frames[index];
      const auto place = cache_.insert_or_assign(
          Key("", absl::StrCat(snapshot.lineage), frame.pc, frame.pc_is_exact),
          Convert(symbolizer_.ResolveOutsideModules(PcOf(frame)), nullptr));
      known[index] = &place.first->second;
    }
  }

  static Key KeyOf(const ModuleInfo& module, const FrameInfo& frame) {
    return {module.path, module.build_id, frame.pc - module.load_bias,
            frame.pc_is_exact};
  }

  std::mutex mutex_;
  symbolizer::Symbolizer symbolizer_;
  std::map<Key, ResolvedPc> cache_;  // nodes stay where they are
  std::unordered_map<std::uint64_t, std::vector<const ResolvedPc*>> known_;
};

}  // namespace

std::unique_ptr<FrameNames> MakeResolver() {
  return std::make_unique<Resolver>();
}

}  // namespace heapledger::collector
