// SPDX-License-Identifier: Apache-2.0
// Files that a user asked for: names with signs in them, whole or not at all,
// nothing overwritten by accident, readable by their owner alone.
//
//   %p pid   %e program   %t time (20231114T221320Z)   %n the first free number
//   %% a percent sign
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

inline constexpr char kDefaultOutput[] = "heapledger-%e-%p-%t.hl";

enum class Overwrite { kRefuse, kForce };

// What the signs of a name stand for.
struct NameFields {
  std::string program;
  std::uint32_t pid = 0;
  std::uint64_t realtime_ns = 0;

  static NameFields Of(const LedgerSnapshot& snapshot);
};

// InvalidArgument for an unknown sign or an empty name.
[[nodiscard]] absl::StatusOr<std::string> ExpandName(std::string_view pattern,
                                                     const NameFields& fields,
                                                     std::uint64_t number);

// A name without signs that stands for `path` itself.
[[nodiscard]] std::string EscapedName(std::string_view path);

// Whether each process gets a name of its own.
[[nodiscard]] bool NamesEachProcess(std::string_view pattern);

// Writes a temporary file beside the wanted one (mode 0600) and renames it.
// Gives the name that was taken. AlreadyExists says what to do about it.
[[nodiscard]] absl::StatusOr<std::string> WriteOutput(std::string_view pattern,
                                                      const NameFields& fields,
                                                      std::string_view bytes,
                                                      Overwrite overwrite);

}  // namespace heapledger::collector::cli
