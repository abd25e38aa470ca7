// SPDX-License-Identifier: Apache-2.0
// What the user already knows of a suspect: whether it is new, known from a
// baseline, a third party's, or suppressed. Evidence is the same for all.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/ledger/fingerprint.h"
#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

enum class SuspectState { kNew, kKnown, kThirdParty, kSuppressed };

// "new", "known", "third-party", "suppressed".
[[nodiscard]] std::string_view StateWord(SuspectState state);

// Whether a stack, innermost frame first, is not to be looked at.
using SuppressStack = std::function<bool(std::span<const ResolvedFrame>)>;

struct SuspectRules {
  std::unordered_set<std::uint64_t> known;  // fingerprints
  // Patterns as of a shell, for a module's path or the last part of it. The
  // executable, what lies in no system folder and code without a module are the
  // program's own in any case.
  std::vector<std::string> own_modules;
  SuppressStack suppress;  // may be empty
};

// The state of a callsite: suppressed goes before known before third-party.
[[nodiscard]] SuspectState StateOf(const SuspectRules& rules,
                                   const LedgerSnapshot& snapshot,
                                   const CallsiteInfo& callsite,
                                   Fingerprint fingerprint, FrameNames& names);

// A baseline: one fingerprint a line, then anything; "#" begins a comment. The
// message names the file, and the line that is none.
[[nodiscard]] absl::StatusOr<std::unordered_set<std::uint64_t>> ReadBaseline(
    const std::string& path);
[[nodiscard]] absl::StatusOr<std::unordered_set<std::uint64_t>> ParseBaseline(
    std::string_view text, const std::string& path);

}  // namespace heapledger::collector
