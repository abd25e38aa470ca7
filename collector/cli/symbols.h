// SPDX-License-Identifier: Apache-2.0
// Names for heaps: those that a snapshot file brought, else those of a resolver
// that is made when it is first needed.
//
// Work that takes longer than a second is shown as a bar on stderr, where that
// is a terminal.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/cli/heap.h"
#include "collector/ledger/naming.h"
#include "collector/profile/resolver.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

// Where symbols come from; the same options on every verb that names functions.
struct SymbolOptions {
  std::string sysroot;
  std::vector<std::string> debug_paths;
  bool debuginfod = false;

  // Said where symbols are: a file's own names are then made anew.
  [[nodiscard]] bool any() const {
    return !sysroot.empty() || !debug_paths.empty() || debuginfod;
  }
};

void AddSymbolOptions(CLI::App& app, SymbolOptions& options);

// Where the screen is in use, no bar may be drawn on it.
enum class Progress { kShown, kHidden };

class Symbols {
 public:
  explicit Symbols(SymbolOptions options = {},
                   Progress progress = Progress::kShown);

  // The reference holds for the life of this object and of `heap`.
  FrameNames& For(const Heap& heap);

  // "names: …" and, where there are nameless frames, why; lines with their
  // ends. For a heap that was resolved.
  [[nodiscard]] std::string ShareLines(const Heap& heap);

 private:
  void ShowProgress(std::uint64_t done, std::uint64_t total);
  [[nodiscard]] bool Stored(const Heap& heap) const {
    return heap.names != nullptr && !options_.any();
  }

  const SymbolOptions options_;
  const Progress progress_;
  std::unique_ptr<Resolver> resolver_;
  std::chrono::steady_clock::time_point begin_{};
};

}  // namespace heapledger::collector::cli
