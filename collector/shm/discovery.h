// SPDX-License-Identifier: Apache-2.0
// Where ledgers lie and which of the files there are ours to read: the rules
// that keep another user's file, link or fifo out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

struct DiscoveryOptions {
  // This directory and no other; $HEAPLEDGER_DIR or --dir.
  std::string directory;
  // Without `directory`: the parents that hold "heapledger-<uid>".
  std::vector<std::string> parents = {"/dev/shm", "/var/tmp"};
  std::string proc_root = "/proc";
  // Whose ledgers; root sees everybody's.
  uid_t uid = 0;

  // $HEAPLEDGER_DIR (secure_getenv) and the effective user.
  static DiscoveryOptions FromEnvironment();
};

// A name in a ledger directory, taken apart (see heapledger/ledger/name.h).
struct LedgerName {
  enum class Kind { kLedger, kOffMarker };
  Kind kind = Kind::kLedger;
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::optional<std::uint32_t>
      replaced_image;  // "<n>" of an image gone by exec
};

[[nodiscard]] std::optional<LedgerName> ParseLedgerName(std::string_view name);

struct FoundLedger {
  std::string path;
  LedgerName name;
  uid_t owner = 0;          // of the directory, and so of the file
  std::uint64_t inode = 0;  // of a ledger: another file may take the name
  std::optional<std::uint32_t> off_reason;  // of a marker
};

struct Discovered {
  std::vector<FoundLedger> ledgers;  // ordered by pid, start time, image
  std::vector<FoundLedger> off_markers;
  std::vector<std::string> problems;  // a sentence per directory refused
};

// Lists, opens nothing. A directory that does not exist is no problem; one that
// somebody else owns or may write to is.
[[nodiscard]] Discovered DiscoverLedgers(const DiscoveryOptions& options);

// Opens a ledger for reading: a regular file that `owner` owns, no link.
[[nodiscard]] absl::StatusOr<int> OpenLedgerFile(const std::string& path,
                                                 uid_t owner);

enum class UnmeasuredScan {
  kMarkersOnly,     // what the shim left in the ledger directories
  kMarkersAndMaps,  // and every process that maps the shim without a ledger
};

// Processes that the shim was loaded into and that have no ledger.
[[nodiscard]] std::vector<UnmeasuredProcess> FindUnmeasured(
    const DiscoveryOptions& options, const Discovered& discovered,
    UnmeasuredScan scan);

}  // namespace heapledger::collector
