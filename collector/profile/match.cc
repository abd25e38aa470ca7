// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/match.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// Whether pcs of two profiles can be compared module by module: each that both
// have under one name must be one build, and say so.
bool SameBuilds(std::span<const Profile> profiles) {
  std::map<std::string, std::string, std::less<>> build_ids;  // by short name
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    for (const ModuleInfo& module : profiles[i].modules) {
      if (module.build_id.empty()) return false;
      const auto [place, added] = build_ids.try_emplace(
          std::string(BaseName(module.path)), module.build_id);
      if (!added && place->second != module.build_id) return false;
    }
  }
  return true;
}

// Code outside modules has addresses of its process alone; its names are what
// two processes can share.
std::string OutsideKey(const ProfileLocation& location) {
  const ResolvedFrame& physical = location.names->back();
  if (physical.python) {
    return absl::StrCat(physical.function, " ", physical.file, ":",
                        physical.line);
  }
  return physical.function.empty() ? absl::StrCat("+", location.address)
                                   : physical.function;
}

// Numbers for the pcs of all profiles: the same number is the same pc.
class PcNumbers {
 public:
  PcNumbers(std::span<const Profile> profiles, MatchedBy matched_by) {
    absl::flat_hash_map<std::string, std::uint32_t> known;
    for (const Profile& profile : profiles) {
      std::vector<std::uint32_t>& numbers = by_profile_.emplace_back();
      for (const ProfileLocation& location : profile.locations) {
        const auto next = static_cast<std::uint32_t>(known.size());
        numbers.push_back(
            known.try_emplace(KeyOf(profile, location, matched_by), next)
                .first->second);
      }
    }
  }

  // The bytes of a stack's numbers, as a key.
  [[nodiscard]] std::string StackKey(const Profile& profile, std::size_t index,
                                     const ProfileSample& sample) const {
    std::string key;
    for (const std::uint32_t location : profile.stack(sample)) {
      const std::uint32_t number = by_profile_[index][location];
      key.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    return key;
  }

 private:
  static std::string KeyOf(const Profile& profile,
                           const ProfileLocation& location,
                           MatchedBy matched_by) {
    const char* const exact = location.pc_is_exact ? "=" : "<";
    if (location.module == kNoModule) {
      return matched_by == MatchedBy::kPcs
                 ? absl::StrCat(exact, location.address)
                 : absl::StrCat(exact, "jit ", OutsideKey(location));
    }
    const ModuleInfo& module = profile.modules[location.module];
    // Within one life a module may have no build id.
    return absl::StrCat(
        exact, location.address - module.load_bias, " ",
        module.build_id.empty() ? module.path : module.build_id);
  }

  std::vector<std::vector<std::uint32_t>> by_profile_;
};

}  // namespace

MatchedBy MatchOf(std::span<const Profile> profiles) {
  const bool one_life = std::ranges::all_of(profiles, [&](const Profile& p) {
    return p.facts.lineage != 0 &&
           p.facts.lineage == profiles.front().facts.lineage;
  });
  if (one_life) return MatchedBy::kPcs;
  return SameBuilds(profiles) ? MatchedBy::kBuildIds : MatchedBy::kFingerprints;
}

std::vector<MatchedCallsite> MatchCallsites(std::span<const Profile> profiles,
                                            MatchedBy matched_by) {
  const PcNumbers numbers(profiles, matched_by);
  const auto key_of = [&](std::size_t index, const ProfileSample& sample) {
    // A line feed ends it: what follows may hold anything.
    const std::string tag =
        sample.tag == nullptr ? "\n" : "t" + sample.tag->Text() + "\n";
    if (matched_by == MatchedBy::kFingerprints) return tag + sample.callsite;
    return absl::StrCat(tag, sample.overflow ? "o" : "", sample.cut ? "c" : "",
                        "|", numbers.StackKey(profiles[index], index, sample));
  };
  std::vector<MatchedCallsite> matched;
  absl::flat_hash_map<std::string, std::size_t> known;
  for (std::size_t p = 0; p < profiles.size(); ++p) {
    const auto& samples = profiles[p].samples;
    for (std::size_t s = 0; s < samples.size(); ++s) {
      const auto [place, added] =
          known.try_emplace(key_of(p, samples[s]), matched.size());
      if (added) {
        matched.push_back({p, s, std::vector<ProfileValues>(profiles.size())});
      }
      MatchedCallsite& callsite = matched[place->second];
      callsite.values[p] += samples[s].values;
      const bool later = callsite.profile != p;
      if (later || samples[s].values.live_bytes >
                       samples[callsite.sample].values.live_bytes) {
        callsite.profile = p;
        callsite.sample = s;
      }
    }
  }
  return matched;
}

}  // namespace heapledger::collector
