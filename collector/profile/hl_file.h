// SPDX-License-Identifier: Apache-2.0
// Snapshots as files (.hl): a ledger at one moment, with the names of its
// functions if wanted, so that a file that is mailed needs no symbols. Read
// back, it is what a ledger gives, and every view works on it. The bytes are
// described in hl_layout.h.
//
// Thread safety: functions without state; an HlFile is immutable, and the names
// in it may be read from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// A moment that the user named.
struct HlMark {
  std::string name;
  std::uint64_t taken_realtime_ns = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t live_objects = 0;
};

// A section of somebody else's, beside those of hl_layout.h: what a process'
// death was like, for one. Its bytes are its owner's business.
struct HlSection {
  std::string name;  // 1 to 16 bytes, none of hl_layout.h's
  std::string bytes;
};

struct HlFile {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  std::shared_ptr<FrameNames> names;  // null where the file has none
  std::vector<HlMark> marks;
  nlohmann::ordered_json facts;
  std::vector<HlSection> others;  // by name; empty ones are left out
};

struct HlWriteOptions {
  FrameNames* names = nullptr;  // null: without names
  std::string written_by;       // "heapledger 0.1.0"
  std::vector<HlMark> marks;
  // Members to add to the facts, such as "system".
  nlohmann::ordered_json more_facts = nlohmann::ordered_json::object();
  std::vector<HlSection> others;
};

// The whole file. An error where it would pass the format's 4 GiB of names.
[[nodiscard]] absl::StatusOr<std::string> WriteHl(
    const LedgerSnapshot& snapshot, const HlWriteOptions& options);

// Reads a file that anybody may have made. InvalidArgument where it is no sound
// snapshot, with a sentence that begins with `path`; NotFound and
// PermissionDenied where it cannot be opened.
[[nodiscard]] absl::StatusOr<HlFile> ReadHl(const std::string& path);
// Takes over `descriptor`.
[[nodiscard]] absl::StatusOr<HlFile> ReadHl(int descriptor,
                                            const std::string& path);
// The same of bytes in memory.
[[nodiscard]] absl::StatusOr<HlFile> ParseHl(std::span<const std::byte> bytes,
                                             const std::string& path);

// The facts alone, without a look at the rest.
[[nodiscard]] absl::StatusOr<nlohmann::ordered_json> ReadHlFacts(
    const std::string& path);

// Whether the file at `path` begins as a snapshot file does.
[[nodiscard]] bool LooksLikeHl(const std::string& path);

}  // namespace heapledger::collector
