// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/symbols.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/cli/name_share.h"
#include "collector/cli/output.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::uint64_t kBarColumns = 30;
constexpr std::size_t kModulesShown = 5;

// "libfoo.so: no symbols (12 of 20 frames)"
std::string WhyNameless(const ModuleNames& module) {
  const std::string name(BaseName(module.path));
  return absl::StrCat(
      "  ", Printable(name), ": ", Printable(module.reason), " (",
      HumanCount(module.counts.lookups - module.counts.named()), " of ",
      HumanCount(module.counts.lookups), " frames)",
      module.detail.empty() ? "" : "; ", Printable(module.detail), "\n");
}

}  // namespace

void AddSymbolOptions(CLI::App& app, SymbolOptions& options) {
  app.add_option("--sysroot", options.sysroot,
                 "Where the program's files lie, for one of another machine")
      ->type_name("DIR");
  app.add_option("--debug-path", options.debug_paths,
                 "Look for separate debug files here, repeatable")
      ->allow_extra_args(false)
      ->type_name("DIR");
  app.add_flag("--debuginfod", options.debuginfod,
               "Ask the servers in DEBUGINFOD_URLS for debug files");
}

Symbols::Symbols(SymbolOptions options, Progress progress)
    : options_(std::move(options)), progress_(progress) {}

FrameNames& Symbols::For(const Heap& heap) {
  if (Stored(heap)) return *heap.names;
  if (resolver_ != nullptr) return *resolver_;
  ResolverOptions options;
  options.sysroot = options_.sysroot;
  options.debug_paths = options_.debug_paths;
  options.debuginfod =
      options_.debuginfod ? DebuginfodUse::kOn : DebuginfodUse::kOff;
  options.cache_directory = DefaultCacheDirectory();
  if (progress_ == Progress::kShown && isatty(STDERR_FILENO) != 0) {
    options.progress = [this](std::uint64_t done, std::uint64_t total) {
      ShowProgress(done, total);
    };
  }
  begin_ = std::chrono::steady_clock::now();
  resolver_ = MakeResolver(std::move(options));
  return *resolver_;
}

void Symbols::ShowProgress(std::uint64_t done, std::uint64_t total) {
  if (std::chrono::steady_clock::now() - begin_ < kPatience || total == 0) {
    return;
  }
  const auto full =
      static_cast<std::size_t>(kBarColumns * std::min(done, total) / total);
  const std::string bar =
      std::string(full, '#') + std::string(kBarColumns - full, '.');
  std::fprintf(stderr, "\rheapledger: names [%s] %s of %s%s", bar.c_str(),
               HumanCount(done).c_str(), HumanCount(total).c_str(),
               done < total ? "" : "\r\x1b[K");
  std::fflush(stderr);
}

std::string Symbols::ShareLines(const Heap& heap) {
  std::string text = NameShareLine(*heap.snapshot, For(heap));
  if (Stored(heap)) return text;
  std::vector<ModuleNames> modules = resolver_->stats().modules;
  std::erase_if(modules, [](const ModuleNames& module) {
    return module.counts.named() == module.counts.lookups;
  });
  std::ranges::stable_sort(
      modules, std::greater(), [](const ModuleNames& module) {
        return module.counts.lookups - module.counts.named();
      });
  for (std::size_t i = 0; i < std::min(modules.size(), kModulesShown); ++i) {
    text += WhyNameless(modules[i]);
  }
  return text;
}

}  // namespace heapledger::collector::cli
