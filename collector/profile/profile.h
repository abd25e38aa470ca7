// SPDX-License-Identifier: Apache-2.0
// What every picture and file of a heap is made from: the callsites of one
// snapshot, or of the difference of two, with their stacks, names and values.
//
// A profile stands alone: it copies the names and keeps no hold of the snapshot
// or the symbolizer that it was made with.
//
// Thread safety: immutable once made; copies share the names.
//
// Invariants:
//  (1) totals is the sum of the values of all samples; before_totals that of
//      their values before.
//  (2) Indexes are valid: stacks into locations, locations into modules.
//  (3) ProfileLocation::names is never null and lives as long as any copy of
//      the profile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

enum class ProfileValue {
  kLiveBytes,
  kLiveObjects,
  kAllocatedBytes,
  kAllocations
};

[[nodiscard]] constexpr bool IsBytes(ProfileValue value) {
  return value == ProfileValue::kLiveBytes ||
         value == ProfileValue::kAllocatedBytes;
}
// "live-bytes", as --value takes it.
[[nodiscard]] std::string ValueWord(ProfileValue value);
// What is shown beside a value: objects beside bytes, bytes beside objects.
[[nodiscard]] ProfileValue Companion(ProfileValue value);

// Signed, as a difference may have fallen.
struct ProfileValues {
  std::int64_t live_bytes = 0;
  std::int64_t live_objects = 0;
  std::int64_t allocated_bytes = 0;
  std::int64_t allocated_objects = 0;

  [[nodiscard]] std::int64_t of(ProfileValue value) const;
  [[nodiscard]] bool all_zero() const { return *this == ProfileValues(); }
  ProfileValues& operator+=(const ProfileValues& other);
  ProfileValues& operator-=(const ProfileValues& other);
  friend ProfileValues operator+(ProfileValues a, const ProfileValues& b) {
    return a += b;
  }
  friend ProfileValues operator-(ProfileValues a, const ProfileValues& b) {
    return a -= b;
  }
  friend bool operator==(const ProfileValues&, const ProfileValues&) = default;
};

// The part of a process' counters that a profile shows.
[[nodiscard]] ProfileValues ValuesOf(const HeapCounters& counters);

// One pc. `names` holds its functions, innermost first.
struct ProfileLocation {
  std::uint32_t module = kNoModule;  // index into Profile::modules
  std::uint64_t address = 0;         // in the process
  bool pc_is_exact = false;          // else a return address
  const ResolvedPc* names = nullptr;
};

// One callsite. Samples of a profile may share a fingerprint.
struct ProfileSample {
  std::string callsite;  // fingerprint
  CallsiteName name;
  std::uint32_t stack_begin = 0;  // into Profile::stacks
  std::uint32_t stack_size = 0;
  ProfileValues values;  // of a difference: after - before
  ProfileValues before;  // of a difference: at its start; else zero
  std::shared_ptr<const TagInfo> tag;  // null where it has none
  // As in CallsiteInfo.
  bool truncated = false;
  bool incomplete = false;
  bool cut = false;
  bool inherited = false;
  bool overflow = false;

  // Of a difference: at its end.
  [[nodiscard]] ProfileValues after() const { return before + values; }
};

// Who was measured, how and when.
struct ProfileFacts {
  std::string program;
  std::string exe;
  std::uint32_t pid = 0;
  std::string moment;  // a mark or file as the user named it; else empty
  std::uint64_t lineage = 0;
  std::uint64_t created_realtime_ns = 0;  // of the ledger
  std::uint64_t taken_realtime_ns = 0;
  ProcessState state = ProcessState::kStarting;
  MeasureMode mode = MeasureMode::kUnknown;
  StackDetail stack_detail = StackDetail::kUnknown;
  std::uint32_t max_depth = 0;
  std::uint32_t sample_bytes = 0;  // mean between samples; 0 when exact
  bool estimated = false;
  std::uint64_t peak_live_bytes = 0;
  // What else a reader of the figures must know: sentences without a full stop.
  std::vector<std::string> remarks;
};

struct Profile {
  // Of the snapshot; of a difference, of its end.
  ProfileFacts facts;
  // Of a difference: the earlier snapshots compared, oldest first. Values are
  // counted from the first of them.
  std::vector<ProfileFacts> compared;
  bool is_difference = false;

  std::vector<ModuleInfo> modules;
  std::vector<ProfileLocation> locations;
  std::vector<std::uint32_t> stacks;  // location indexes, innermost first
  std::vector<ProfileSample> samples;
  ProfileValues totals;
  ProfileValues before_totals;

  // What the locations' names point into.
  std::vector<std::shared_ptr<const std::vector<ResolvedPc>>> names;

  [[nodiscard]] std::span<const std::uint32_t> stack(
      const ProfileSample& sample) const {
    return std::span(stacks).subspan(sample.stack_begin, sample.stack_size);
  }
};

// All callsites of a snapshot, one sample each, in the ledger's order.
[[nodiscard]] Profile MakeProfile(
    const std::shared_ptr<const LedgerSnapshot>& snapshot, FrameNames& names);

// How much of a profile stands on stacks that lack outer frames.
struct StackLosses {
  ProfileValues truncated;   // deeper than --max-depth
  ProfileValues incomplete;  // the walk met a frame that it could not pass
  ProfileValues cut;         // left out by adaptive depth
};
[[nodiscard]] StackLosses LossesOf(const Profile& profile);

// What stands at the outer end of a stack that lacks frames ("[truncated]",
// "[incomplete]", "[cut]") or in place of one that has none ("[overflow]",
// "[no stack]"); empty where the stack is whole.
[[nodiscard]] std::string StackEndMark(const ProfileSample& sample);

// A frame's function, or where it is when it has no name.
[[nodiscard]] std::string FrameFunction(const ResolvedFrame& frame);

}  // namespace heapledger::collector
