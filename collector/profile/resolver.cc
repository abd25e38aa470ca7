// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/resolver.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "symbolizer/live_process.h"
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

// `live_pid`: of a process that may have it mapped, 0 if none has.
symbolizer::ModuleRef RefOf(const ModuleInfo& module, std::int64_t live_pid) {
  return {.path = module.path,
          .build_id = BuildIdHex(module.build_id),
          .load_bias = module.load_bias,
          .start = module.start,
          .end = module.end,
          .inode = module.inode,
          .live_pid = live_pid};
}

bool IsRunning(ProcessState state) {
  return state == ProcessState::kStarting || state == ProcessState::kLive ||
         state == ProcessState::kOff;
}

// The process as /proc here knows it; 0 if it has ended.
std::int64_t LivePid(const LedgerSnapshot& snapshot) {
  const LedgerIdentity& who = snapshot.identity;
  if (!IsRunning(snapshot.state)) return 0;
  return symbolizer::LiveProcess::Find(who.pid, who.pid_namespace,
                                       who.start_time_ticks);
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

ResolvedFrame PythonFrameOf(const CodeInfo& code, std::uint32_t line) {
  ResolvedFrame frame;
  frame.function = absl::StrCat(code.name_cut ? "…" : "", code.name);
  frame.file = absl::StrCat(code.file_cut ? "…" : "", code.file);
  frame.line = line;
  frame.module =
      code.file.empty() ? "[python]" : std::string(BaseName(code.file));
  frame.python = true;
  return frame;
}

symbolizer::Options SymbolizerOptions(const ResolverOptions& options) {
  symbolizer::Options result;
  result.root = options.sysroot;
  result.debug_directories.insert(result.debug_directories.begin(),
                                  options.debug_paths.begin(),
                                  options.debug_paths.end());
  if (options.debuginfod == DebuginfodUse::kOn) {
    result.network = symbolizer::NetworkUse::kDebuginfod;
  }
  result.cache_directory = options.cache_directory;
  result.cache_bytes = options.cache_bytes;
  return result;
}

template <typename From>
NameCounts CountsOf(const From& from) {
  const auto count = [&](Quality quality) {
    return from.by_quality[static_cast<std::size_t>(quality)];
  };
  return {.lookups = from.lookups,
          .with_lines = count(Quality::kDebugInfo),
          .with_symbols = count(Quality::kSymbolTable),
          .with_jit = count(Quality::kJit)};
}

class SymbolizingResolver final : public Resolver {
 public:
  explicit SymbolizingResolver(ResolverOptions options)
      : options_(std::move(options)),
        symbolizer_(SymbolizerOptions(options_)) {}

  const ResolvedPc& Resolve(const LedgerSnapshot& snapshot,
                            std::uint32_t frame_index) override {
    const std::lock_guard lock(mutex_);
    if (known_.size() > kMaximumLineages) known_.clear();
    std::vector<const ResolvedPc*>& known = known_[snapshot.lineage];
    if (known.size() <= frame_index) known.resize(frame_index + 1);
    if (known[frame_index] == nullptr) LearnAll(snapshot, known);
    return *known[frame_index];
  }

  NameStats stats() override {
    const std::lock_guard lock(mutex_);
    const symbolizer::Stats& from = symbolizer_.stats();
    NameStats result{.counts = CountsOf(from), .modules = {}};
    for (const symbolizer::ModuleStats& module : from.modules) {
      result.modules.push_back(
          {.path = module.module,
           .build_id = module.build_id,
           .debug_file = module.debug_file,
           .reason = std::string(symbolizer::ReasonText(module.reason)),
           .detail = module.detail,
           .counts = CountsOf(module)});
    }
    return result;
  }

 private:
  // Processes come and go; their shortcuts into the cache are cheap to redo.
  static constexpr std::size_t kMaximumLineages = 512;

  // (module path, build id, inode, rel_pc, exact): what two processes share.
  // With a build id the inode does not matter and is 0.
  using Key =
      std::tuple<std::string, std::string, std::uint64_t, std::uint64_t, bool>;

  // All frames that the snapshot has and we have not, in one go per module:
  // the symbolizer is far quicker on a sorted batch.
  void LearnAll(const LedgerSnapshot& snapshot,
                std::vector<const ResolvedPc*>& known) {
    const std::vector<FrameInfo>& frames = snapshot.tables->frames;
    known.resize(std::max(known.size(), frames.size()));
    std::map<std::uint32_t, std::vector<std::uint32_t>> missing;  // by module
    for (std::uint32_t i = 0; i < frames.size(); ++i) {
      if (known[i] != nullptr) continue;
      if (frames[i].is_python()) {
        known[i] = &LearnPython(snapshot.tables->codes[frames[i].code],
                                frames[i].line);
      } else {
        missing[frames[i].module].push_back(i);
      }
    }
    round_total_ = 0;
    round_done_ = 0;
    for (const auto& [module, indexes] : missing) {
      round_total_ += indexes.size();
    }
    const std::int64_t live_pid = LivePid(snapshot);
    for (const auto& [module, indexes] : missing) {
      if (module == kNoModule) {
        LearnOutside(snapshot, live_pid, indexes, known);
      } else {
        LearnModule(snapshot.tables->modules[module], live_pid, frames, indexes,
                    known);
      }
      round_done_ += indexes.size();
      ReportProgress(0);
    }
  }

  // The ledger names them itself.
  const ResolvedPc& LearnPython(const CodeInfo& code, std::uint32_t line) {
    ResolvedPc& known = python_[{code.name, code.file, line}];
    if (known.empty()) known.push_back(PythonFrameOf(code, line));
    return known;
  }

  void ReportProgress(std::size_t more) const {
    if (options_.progress) options_.progress(round_done_ + more, round_total_);
  }

  void LearnModule(const ModuleInfo& module, std::int64_t live_pid,
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
    const auto resolved = symbolizer_.ResolveAll(
        RefOf(module, module.loaded ? live_pid : 0), pcs,
        [this](std::size_t done) { ReportProgress(done); });
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const auto place = cache_.try_emplace(KeyOf(module, frames[fresh[i]]),
                                            Convert(resolved[i], &module));
      known[fresh[i]] = &place.first->second;
    }
  }

  // JIT code: names are of this process alone, and written while it runs.
  void LearnOutside(const LedgerSnapshot& snapshot, std::int64_t live_pid,
                    const std::vector<std::uint32_t>& indexes,
                    std::vector<const ResolvedPc*>& known) {
    symbolizer::JitProcess process;
    process.pid = snapshot.identity.pid;
    process.live_pid = live_pid;
    process.uid = snapshot.identity.uid;
    // A jitdump lies where its program ran: often where its report is read.
    std::error_code unknown;
    process.directories.push_back(std::filesystem::current_path(unknown));
    symbolizer_.ForgetJitCode();
    // Most processes have none.
    (void)symbolizer_.LoadJitCode(process);
    for (const std::uint32_t index : indexes) {
      const FrameInfo& frame = snapshot.tables->frames[index];
      const auto place = cache_.insert_or_assign(
          Key("", absl::StrCat(snapshot.lineage), 0, frame.pc,
              frame.pc_is_exact),
          Convert(symbolizer_.ResolveOutsideModules(PcOf(frame)), nullptr));
      known[index] = &place.first->second;
    }
  }

  static Key KeyOf(const ModuleInfo& module, const FrameInfo& frame) {
    return {module.path, module.build_id,
            module.build_id.empty() ? module.inode : 0,
            frame.pc - module.load_bias, frame.pc_is_exact};
  }

  std::mutex mutex_;
  const ResolverOptions options_;
  symbolizer::Symbolizer symbolizer_;
  std::uint64_t round_done_ = 0;
  std::uint64_t round_total_ = 0;
  std::map<Key, ResolvedPc> cache_;  // nodes stay where they are
  std::map<std::tuple<std::string, std::string, std::uint32_t>, ResolvedPc>
      python_;  // the same
  std::unordered_map<std::uint64_t, std::vector<const ResolvedPc*>> known_;
};

}  // namespace

double NameCounts::named_share() const {
  if (lookups == 0) return 1;
  return static_cast<double>(named()) / static_cast<double>(lookups);
}

std::string DefaultCacheDirectory() {
  // The specification has relative paths ignored.
  if (const char* const cache = std::getenv("XDG_CACHE_HOME");
      cache != nullptr && *cache == '/') {
    return absl::StrCat(cache, "/heapledger");
  }
  const char* const home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return "";
  return absl::StrCat(home, "/.cache/heapledger");
}

std::unique_ptr<Resolver> MakeResolver(ResolverOptions options) {
  return std::make_unique<SymbolizingResolver>(std::move(options));
}

}  // namespace heapledger::collector
