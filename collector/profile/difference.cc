// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/difference.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "collector/profile/match.h"

namespace heapledger::collector {
namespace {

bool GrewInAll(std::span<const ProfileValues> values) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i].live_bytes <= values[i - 1].live_bytes) return false;
  }
  return values.size() > 1;
}

Change ChangeOf(std::int64_t before, std::int64_t after) {
  if (before == after) return Change::kSame;
  if (before == 0) return Change::kNew;
  if (after == 0) return Change::kGone;
  return before < after ? Change::kGrown : Change::kShrunk;
}

// Puts the tables of several profiles one behind the other, each once it is
// needed: in one ledger's life the last profile has all that the first has.
class JoinedTables {
 public:
  JoinedTables(std::span<const Profile> profiles, Profile& joined)
      : profiles_(profiles), joined_(joined), offsets_(profiles.size()) {}

  // The sample with its stack in the joined tables.
  ProfileSample Join(std::size_t profile, const ProfileSample& sample) {
    if (!offsets_[profile]) Append(profile);
    ProfileSample joined = sample;
    joined.stack_begin += *offsets_[profile];
    return joined;
  }

 private:
  void Append(std::size_t index) {
    const Profile& profile = profiles_[index];
    const auto modules = static_cast<std::uint32_t>(joined_.modules.size());
    const auto locations = static_cast<std::uint32_t>(joined_.locations.size());
    offsets_[index] = static_cast<std::uint32_t>(joined_.stacks.size());
    joined_.modules.insert(joined_.modules.end(), profile.modules.begin(),
                           profile.modules.end());
    for (ProfileLocation location : profile.locations) {
      if (location.module != kNoModule) location.module += modules;
      joined_.locations.push_back(location);
    }
    for (const std::uint32_t location : profile.stacks) {
      joined_.stacks.push_back(locations + location);
    }
    joined_.names.insert(joined_.names.end(), profile.names.begin(),
                         profile.names.end());
  }

  std::span<const Profile> profiles_;
  Profile& joined_;
  std::vector<std::optional<std::uint32_t>> offsets_;  // into stacks
};

struct Group {
  std::string callsite;
  CallsiteName name;
};

Group GroupOf(const ProfileSample& sample, ProfileGroup by) {
  Group group{sample.callsite, sample.name};
  if (by == ProfileGroup::kCallsite) return group;
  group.callsite.clear();
  group.name.file.clear();
  group.name.line = 0;
  if (by == ProfileGroup::kTag) {
    group.name.module.clear();
    group.name.function =
        sample.tag == nullptr ? kUntaggedName : sample.tag->Text();
  }
  if (by == ProfileGroup::kModule) {
    // "[overflow]" and its like are of no module.
    if (group.name.module.empty()) group.name.module = group.name.function;
    group.name.function.clear();
  }
  return group;
}

}  // namespace

std::string ChangeWord(Change change) {
  constexpr std::array<const char*, 5> kWords = {"grown", "shrunk", "new",
                                                 "gone", "same"};
  return kWords[static_cast<std::size_t>(change)];
}

Profile Difference(std::span<const Profile> profiles, Keep keep) {
  Profile result;
  result.is_difference = true;
  result.facts = profiles.back().facts;
  for (const Profile& profile : profiles.first(profiles.size() - 1)) {
    result.compared.push_back(profile.facts);
  }
  JoinedTables tables(profiles, result);
  for (const MatchedCallsite& matched :
       MatchCallsites(profiles, MatchOf(profiles))) {
    const ProfileValues& before = matched.values.front();
    const ProfileValues& after = matched.values.back();
    if (before.all_zero() && after.all_zero()) continue;
    if (keep == Keep::kGrewInAll && !GrewInAll(matched.values)) continue;
    ProfileSample sample = tables.Join(
        matched.profile, profiles[matched.profile].samples[matched.sample]);
    sample.before = before;
    sample.values = after - before;
    result.before_totals += sample.before;
    result.totals += sample.values;
    result.samples.push_back(std::move(sample));
  }
  return result;
}

Profile Difference(const Profile& before, const Profile& after) {
  const std::array<Profile, 2> both = {before, after};
  return Difference(both);
}

Comparison Compare(std::span<const Profile> profiles, ProfileGroup group,
                   ProfileValue value) {
  Comparison comparison;
  comparison.matched_by = MatchOf(profiles);
  comparison.totals.resize(profiles.size());
  for (const Profile& profile : profiles) {
    comparison.facts.push_back(profile.facts);
  }
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, std::size_t> rows;
  for (const MatchedCallsite& matched :
       MatchCallsites(profiles, comparison.matched_by)) {
    Group of =
        GroupOf(profiles[matched.profile].samples[matched.sample], group);
    // Callsites of one fingerprint are one row.
    const Key key = group == ProfileGroup::kCallsite
                        ? Key(of.callsite, "", "")
                        : Key("", of.name.function, of.name.module);
    const auto [place, added] = rows.try_emplace(key, comparison.rows.size());
    if (added) {
      comparison.rows.push_back({std::move(of.callsite), std::move(of.name),
                                 std::vector<ProfileValues>(profiles.size())});
    }
    ComparisonRow& row = comparison.rows[place->second];
    for (std::size_t i = 0; i < profiles.size(); ++i) {
      row.values[i] += matched.values[i];
      comparison.totals[i] += matched.values[i];
    }
  }
  const auto change = [value](const ComparisonRow& row) {
    return row.values.back().of(value) - row.values.front().of(value);
  };
  for (ComparisonRow& row : comparison.rows) {
    row.change =
        ChangeOf(row.values.front().of(value), row.values.back().of(value));
    row.grew_in_all = GrewInAll(row.values);
  }
  std::ranges::stable_sort(comparison.rows,
                           [&](const ComparisonRow& a, const ComparisonRow& b) {
                             return std::abs(change(a)) > std::abs(change(b));
                           });
  return comparison;
}

}  // namespace heapledger::collector
