// SPDX-License-Identifier: Apache-2.0
// What changed from one heap to another, and over more than two.
//
// Callsites are matched by the finest key that all profiles share:
//   - the pcs of their stacks, where the profiles are of one ledger's life;
//   - else (build id, rel_pc) of each pc, where every module that two profiles
//     share by name has the same build id in both;
//   - else fingerprints (ledger/fingerprint.h).
// Samples of one profile that share a key and a tag are added up. A stack that
// adaptive depth has cut is another one than a whole stack of the same frames.
//
// Thread safety: any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "collector/profile/profile.h"

namespace heapledger::collector {

enum class MatchedBy { kPcs, kBuildIds, kFingerprints };

// How the callsites of these profiles, one or more, are matched.
[[nodiscard]] MatchedBy MatchOf(std::span<const Profile> profiles);

enum class Keep { kAll, kGrewInAll };

// A profile whose values are the last profile's less the first's. With
// kGrewInAll only of callsites whose live bytes rose strictly from each profile
// to the next; totals are those of what is kept. Callsites that have nothing in
// the first and the last are left out. REQUIRES: two profiles or more.
[[nodiscard]] Profile Difference(std::span<const Profile> profiles,
                                 Keep keep = Keep::kAll);
[[nodiscard]] Profile Difference(const Profile& before, const Profile& after);

// From the first profile to the last.
enum class Change { kGrown, kShrunk, kNew, kGone, kSame };
// "grown", …
[[nodiscard]] std::string ChangeWord(Change change);

enum class ProfileGroup { kCallsite, kFunction, kModule, kTag };

// A callsite, or all that a function or module allocates itself (as
// NameCallsite has it), or all that has a tag.
struct ComparisonRow {
  std::string callsite;  // fingerprint; empty when grouped otherwise
  CallsiteName name;     // of a module only the module; of a tag its text
                         // as the function
  std::vector<ProfileValues> values;  // by profile
  Change change = Change::kSame;      // of the value asked for
  bool grew_in_all = false;           // in live bytes
};

// Invariant: the rows' values add up to totals, profile by profile.
struct Comparison {
  std::vector<ProfileFacts> facts;  // by profile
  MatchedBy matched_by = MatchedBy::kPcs;
  std::vector<ComparisonRow> rows;    // what changed most first
  std::vector<ProfileValues> totals;  // by profile
};

// REQUIRES: one profile or more.
[[nodiscard]] Comparison Compare(std::span<const Profile> profiles,
                                 ProfileGroup group = ProfileGroup::kCallsite,
                                 ProfileValue value = ProfileValue::kLiveBytes);

}  // namespace heapledger::collector
