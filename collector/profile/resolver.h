// SPDX-License-Identifier: Apache-2.0
// Frame names out of a symbolizer, remembered per module and pc: a pc is looked
// up once in the life of the collector, whichever process it was seen in.
//
// A frame belongs to the module that the ledger recorded with it, never to what
// lies at its address today: two modules may have been there in turn.
//
// Thread safety: any thread; lookups of different pcs wait for one another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collector/ledger/naming.h"

namespace heapledger::collector {

enum class DebuginfodUse { kOff, kOn };

struct ResolverOptions {
  // Where the targets' paths start, for ledgers from another machine; empty
  // for this one. The file of a process that still runs is looked for in its
  // own view of the file system first.
  std::string sysroot = {};
  // Searched for separate debug files, before /usr/lib/debug.
  std::vector<std::string> debug_paths = {};
  // Ask the servers in DEBUGINFOD_URLS for debug files that are missing.
  DebuginfodUse debuginfod = DebuginfodUse::kOff;
  // Names are kept here between runs; empty: nowhere.
  std::string cache_directory = {};
  std::uint64_t cache_bytes = std::uint64_t{256} << 20;
  // Called now and then during long work, with frames done and frames to do of
  // one round; from within Resolve(), so it must not call back.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

// "$XDG_CACHE_HOME/heapledger", else "$HOME/.cache/heapledger"; empty if the
// environment names neither.
[[nodiscard]] std::string DefaultCacheDirectory();

// How many lookups gave a function's name, and of what kind.
struct NameCounts {
  std::uint64_t lookups = 0;
  std::uint64_t with_lines = 0;    // from debug information
  std::uint64_t with_symbols = 0;  // from a symbol table: the function alone
  std::uint64_t with_jit = 0;      // from what a JIT compiler wrote

  [[nodiscard]] std::uint64_t named() const {
    return with_lines + with_symbols + with_jit;
  }
  // 0 to 1; 1 if there were none.
  [[nodiscard]] double named_share() const;
};

struct ModuleNames {
  std::string path;
  std::string build_id;    // hex
  std::string debug_file;  // where debug information came from; may be empty
  std::string reason;      // a phrase: "debug information found", "no symbols"
  std::string detail;      // why not more, as one sentence; may be empty
  NameCounts counts;
};

struct NameStats {
  NameCounts counts;                 // all modules, and code in none
  std::vector<ModuleNames> modules;  // in the order of their first lookup
};

class Resolver : public FrameNames {
 public:
  // Since construction; each distinct pc of a module counts once.
  [[nodiscard]] virtual NameStats stats() = 0;
};

// Finds symbols in the files that the snapshot's modules name.
[[nodiscard]] std::unique_ptr<Resolver> MakeResolver(
    ResolverOptions options = {});

}  // namespace heapledger::collector
