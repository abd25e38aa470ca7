// SPDX-License-Identifier: Apache-2.0
// (module, pc) -> frames. Opens each module once, at its first lookup, and
// keeps what it has parsed. Files are found on this machine; the network is
// touched only if Options says so.
//
//   Symbolizer symbolizer;
//   for (const Frame& frame : symbolizer.Resolve(module, Pc{address})) …
//
// Thread safety: none; one Symbolizer is used by one thread at a time.
//
// On failure: a lookup cannot fail. It returns the best frames it can, at
// worst one that says "libfoo.so+0x1234", and stats() tells why.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "symbolizer/frame.h"
#include "symbolizer/jit_code.h"

namespace heapledger::symbolizer {

// Why a module's frames are no better than they are.
enum class Reason : std::uint8_t {
  kNone,             // debug information was found
  kNoDebugInfo,      // symbol tables only
  kNoSymbols,        // neither debug information nor symbols
  kFileNotFound,     // no such file, or not allowed to read it
  kBuildIdMismatch,  // the file on disk is not what the target has loaded
  kDamaged,          // not an ELF file, or its parts contradict each other
  kNotAFile,         // vdso and kin: code that lies in no file
};

// A phrase such as "build id mismatch", for messages and tables.
std::string_view ReasonText(Reason reason);

// Whether servers are asked for debug files (see debuginfod.h).
enum class NetworkUse : std::uint8_t { kNone, kDebuginfod };

struct Options {
  // Where the target's paths start: "/proc/PID/root" for a container, a
  // directory for a snapshot from another machine; empty for this machine.
  std::string root = {};
  // Searched for separate debug files, below `root` and then on this machine.
  std::vector<std::string> debug_directories = {"/usr/lib/debug"};
  // Modules kept open; beyond it the one not used for longest is closed.
  // Few programs map as many; each holds up to three descriptors.
  std::size_t max_open_modules = 256;
  NetworkUse network = NetworkUse::kNone;
  // Where names are kept between runs; empty: nowhere.
  std::string cache_directory = {};
  std::uint64_t cache_bytes = std::uint64_t{256} << 20;
};

// What became of the lookups in one module.
struct ModuleStats {
  std::string module;
  std::string build_id;
  std::string debug_file;  // the file that debug information came from
  Reason reason = Reason::kNone;
  std::string detail;  // the reason as one sentence; empty for kNone
  std::uint64_t lookups = 0;
  std::array<std::uint64_t, kQualityCount> by_quality{};  // index: Quality
};

struct Stats {
  std::uint64_t lookups = 0;
  std::array<std::uint64_t, kQualityCount> by_quality{};  // index: Quality
  std::vector<ModuleStats> modules;  // in the order of their first lookup

  // Share of the lookups that gave a function's name, 0 to 1; 1 if none.
  double resolved_share() const;
};

class Symbolizer {
 public:
  explicit Symbolizer(Options options = {});
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // Returns at least one frame, innermost inlined function first.
  std::vector<Frame> Resolve(const ModuleRef& module, Pc pc);

  // Called now and then with how many pcs of a batch are done.
  using Progress = std::function<void(std::size_t)>;

  // Resolve() of every pc, in the order given. Looks them up sorted by
  // address, each distinct one once: much faster than one by one.
  std::vector<std::vector<Frame>> ResolveAll(const ModuleRef& module,
                                             std::span<const Pc> pcs,
                                             const Progress& progress = {});

  // For pcs in no module: one frame from what the JIT compiler wrote, or
  // "0x7f0000001234".
  std::vector<Frame> ResolveOutsideModules(Pc pc);

  // Reads what the process's JIT compiler wrote about its code. Call again to
  // see code that was compiled since. On failure the names read before stay.
  absl::Status LoadJitCode(const JitProcess& process);
  void ForgetJitCode();

  // Stores what is not yet in the cache on disk. The destructor does so too.
  void FlushCache();

  // Since construction; modules that were closed are still listed.
  const Stats& stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace heapledger::symbolizer
