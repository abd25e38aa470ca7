// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbolizer.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>

#include "symbolizer/debug_paths.h"
#include "symbolizer/debuginfod.h"
#include "symbolizer/name_cache.h"
#include "symbolizer/open_module.h"

namespace heapledger::symbolizer {
namespace {

std::string Hex(std::uint64_t number) {
  char digits[16];
  const auto [end, error] =
      std::to_chars(digits, digits + sizeof digits, number, 16);
  return std::string("0x").append(digits, end);
}

std::uint64_t LookupAddress(Pc pc) {
  return pc.kind == PcKind::kReturnAddress ? pc.address - 1 : pc.address;
}

bool IsVdso(std::string_view path) {
  return path.starts_with("linux-vdso") || path.starts_with("linux-gate");
}

// "libfoo.so+0x1234", or "0x7f0000001234" for a module without a name.
std::string PlaceName(std::string_view module_path, const Frame& frame,
                      std::uint64_t pc) {
  if (module_path.empty()) return Hex(pc);
  const std::string_view name =
      IsVdso(module_path) ? "[vdso]" : Basename(module_path);
  return std::string(name) + "+" + Hex(frame.rel_pc);
}

// Orders pcs so that equal ones are neighbours and a unit's are together.
bool IsLookedUpBefore(Pc a, Pc b) {
  if (LookupAddress(a) != LookupAddress(b)) {
    return LookupAddress(a) < LookupAddress(b);
  }
  return a.kind < b.kind;
}

bool IsSame(Pc a, Pc b) { return a.address == b.address && a.kind == b.kind; }

}  // namespace

std::string_view ReasonText(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "debug information found";
    case Reason::kNoDebugInfo:
      return "no debug information";
    case Reason::kNoSymbols:
      return "no symbols";
    case Reason::kFileNotFound:
      return "file not found";
    case Reason::kBuildIdMismatch:
      return "build id mismatch";
    case Reason::kDamaged:
      return "damaged file";
    case Reason::kNotAFile:
      return "not a file";
  }
  return "unknown";
}

double Stats::resolved_share() const {
  if (lookups == 0) return 1;
  std::uint64_t named = 0;
  for (Quality quality :
       {Quality::kDebugInfo, Quality::kSymbolTable, Quality::kJit}) {
    named += by_quality[static_cast<std::size_t>(quality)];
  }
  return static_cast<double>(named) / static_cast<double>(lookups);
}

class Symbolizer::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {
    if (!options_.cache_directory.empty()) {
      cache_.emplace(options_.cache_directory, options_.cache_bytes);
    }
    if (options_.network == NetworkUse::kDebuginfod) debuginfod_.emplace();
  }

  ~Impl() { FlushCache(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::vector<Frame> Resolve(const ModuleRef& ref, Pc pc) {
    OpenModule& module = Open(ref);
    std::vector<Frame> frames = Lookup(module, ref, pc);
    Count(module, frames);
    module.UpdateStats(stats_);
    return frames;
  }

  std::vector<std::vector<Frame>> ResolveAll(const ModuleRef& ref,
                                             std::span<const Pc> pcs,
                                             const Progress& progress) {
    std::vector<std::vector<Frame>> result(pcs.size());
    if (pcs.empty()) return result;
    std::vector<std::size_t> order(pcs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return IsLookedUpBefore(pcs[a], pcs[b]);
    });
    OpenModule& module = Open(ref);
    const std::vector<Frame>* last = nullptr;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (progress && i % kProgressStep == 0) progress(i);
      const std::size_t at = order[i];
      const bool repeats = i > 0 && IsSame(pcs[at], pcs[order[i - 1]]);
      result[at] = repeats ? *last : Lookup(module, ref, pcs[at]);
      last = &result[at];
      Count(module, *last);
    }
    if (progress) progress(order.size());
    module.UpdateStats(stats_);
    if (cache_ && module.IsWorthStoring()) module.Store(*cache_);
    return result;
  }

  std::vector<Frame> ResolveOutsideModules(Pc pc) {
    Frame frame;
    frame.rel_pc = pc.address;
    if (!jit_code_.Find(LookupAddress(pc), frame)) {
      frame.function = Hex(pc.address);
      frame.quality = Quality::kUnknown;
    }
    ++stats_.lookups;
    ++stats_.by_quality[static_cast<std::size_t>(frame.quality)];
    return {std::move(frame)};
  }

  absl::Status LoadJitCode(const JitProcess& process) {
    return jit_code_.Load(options_.root, process);
  }
  void ForgetJitCode() { jit_code_ = {}; }

  void FlushCache() {
    if (!cache_) return;
    for (auto& [key, module] : modules_) {
      if (module.is_open()) module.Store(*cache_);
    }
  }

  const Stats& stats() const { return stats_; }

 private:
  // Often enough for a bar, seldom enough to cost nothing.
  static constexpr std::size_t kProgressStep = 64;

  OpenModule& Open(const ModuleRef& ref) {
    // The same file may be mapped at several places. Without a build id only
    // the inode tells whether it is the same.
    std::string key = ref.build_id + '\0' + ref.path;
    if (ref.build_id.empty()) key += '\0' + std::to_string(ref.inode);
    OpenModule& module = modules_[key];
    if (module.last_use() == 0) {
      module.set_stats_index(stats_.modules.size());
      ModuleStats& stats = stats_.modules.emplace_back();
      stats.module = StripDeleted(ref.path);
      stats.build_id = ref.build_id;
    }
    module.set_last_use(++clock_);
    if (module.is_open()) return module;
    CloseIdleModules();
    module.Open(ref, options_, debuginfod_ ? &*debuginfod_ : nullptr,
                cache_ ? &*cache_ : nullptr);
    ++open_modules_;
    return module;
  }

  // Makes room for one more.
  void CloseIdleModules() {
    while (open_modules_ > 0 && open_modules_ >= options_.max_open_modules) {
      OpenModule* oldest = nullptr;
      for (auto& [key, module] : modules_) {
        if (!module.is_open()) continue;
        if (oldest == nullptr || module.last_use() < oldest->last_use()) {
          oldest = &module;
        }
      }
      if (cache_) oldest->Store(*cache_);
      oldest->Close();
      --open_modules_;
    }
  }

  static std::vector<Frame> Lookup(OpenModule& module, const ModuleRef& ref,
                                   Pc pc) {
    const std::uint64_t address = LookupAddress(pc);
    const bool range_known = ref.start < ref.end;
    std::vector<Frame> frames;
    if (!range_known || (address >= ref.start && address < ref.end)) {
      frames = module.Resolve(address - ref.load_bias);
    }
    if (frames.empty()) frames.emplace_back();
    for (Frame& frame : frames) {
      frame.module = StripDeleted(ref.path);
      frame.rel_pc = pc.address - ref.load_bias;
    }
    Frame& outermost = frames.back();
    if (outermost.function.empty()) {
      outermost.function = PlaceName(outermost.module, outermost, pc.address);
      outermost.quality =
          ref.path.empty() ? Quality::kUnknown : Quality::kModuleOnly;
    }
    return frames;
  }

  // One lookup counts once, by the frame that stands for its function.
  void Count(const OpenModule& open, const std::vector<Frame>& frames) {
    const auto quality = static_cast<std::size_t>(frames.back().quality);
    ModuleStats& module = stats_.modules[open.stats_index()];
    ++stats_.lookups;
    ++stats_.by_quality[quality];
    ++module.lookups;
    ++module.by_quality[quality];
  }

  const Options options_;
  std::optional<NameCache> cache_;
  std::optional<Debuginfod> debuginfod_;
  std::unordered_map<std::string, OpenModule> modules_;
  std::size_t open_modules_ = 0;
  std::uint64_t clock_ = 0;
  JitCode jit_code_;
  Stats stats_;
};

Symbolizer::Symbolizer(Options options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
Symbolizer::~Symbolizer() = default;

std::vector<Frame> Symbolizer::Resolve(const ModuleRef& module, Pc pc) {
  return impl_->Resolve(module, pc);
}

std::vector<std::vector<Frame>> Symbolizer::ResolveAll(
    const ModuleRef& module, std::span<const Pc> pcs,
    const Progress& progress) {
  return impl_->ResolveAll(module, pcs, progress);
}

std::vector<Frame> Symbolizer::ResolveOutsideModules(Pc pc) {
  return impl_->ResolveOutsideModules(pc);
}

absl::Status Symbolizer::LoadJitCode(const JitProcess& process) {
  return impl_->LoadJitCode(process);
}

void Symbolizer::ForgetJitCode() { impl_->ForgetJitCode(); }

void Symbolizer::FlushCache() { impl_->FlushCache(); }

const Stats& Symbolizer::stats() const { return impl_->stats(); }

}  // namespace heapledger::symbolizer
