// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/profile.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/ledger/fingerprint.h"

namespace heapledger::collector {
namespace {

ProfileFacts FactsOf(const LedgerSnapshot& snapshot) {
  ProfileFacts facts;
  facts.program = snapshot.identity.Program();
  facts.exe = snapshot.identity.exe;
  facts.pid = snapshot.identity.pid;
  facts.lineage = snapshot.lineage;
  facts.created_realtime_ns = snapshot.identity.created_realtime_ns;
  facts.taken_realtime_ns = snapshot.taken_realtime_ns;
  facts.state = snapshot.state;
  facts.mode = snapshot.mode;
  facts.stack_detail = snapshot.stack_detail;
  facts.max_depth = snapshot.max_depth;
  facts.sample_bytes = snapshot.sample_bytes;
  facts.estimated = snapshot.estimated();
  facts.peak_live_bytes = snapshot.peak_live_bytes;
  return facts;
}

std::vector<std::string> RemarksOn(const LedgerSnapshot& snapshot) {
  std::vector<std::string> remarks;
  if (snapshot.never_armed()) {
    remarks.emplace_back("dormant: nothing was measured");
  } else if (snapshot.armed_realtime_ns != 0 ||
             snapshot.disarmed_realtime_ns != 0) {
    remarks.emplace_back("blocks allocated while it was dormant are not in it");
  }
  if (snapshot.estimated()) {
    remarks.push_back(
        absl::StrCat("estimated: one sample per ", snapshot.sample_bytes,
                     " bytes on average, scaled up without bias"));
  }
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    const std::uint64_t count = snapshot.degraded[kind];
    if (count == 0) continue;
    remarks.push_back(absl::StrCat(count, " x ", DegradedText(kind)));
  }
  if (snapshot.state == ProcessState::kOff) {
    remarks.push_back(absl::StrCat("stopped measuring: ",
                                   OffReasonText(snapshot.off_reason)));
  }
  if (PythonFramesRefused(snapshot.python_state)) {
    remarks.push_back(absl::StrCat(
        "no frames of Python ", PythonVersionText(snapshot.python_version),
        ": ", PythonStateText(snapshot.python_state)));
  }
  if (snapshot.corrupt_records != 0) {
    remarks.push_back(absl::StrCat(snapshot.corrupt_records,
                                   " records of the ledger made no sense"));
  }
  return remarks;
}

std::vector<ResolvedPc> CopyNames(const LedgerSnapshot& snapshot,
                                  FrameNames& names) {
  std::vector<ResolvedPc> copies;
  copies.reserve(snapshot.tables->frames.size());
  for (std::uint32_t i = 0; i < snapshot.tables->frames.size(); ++i) {
    copies.push_back(names.Resolve(snapshot, i));
  }
  return copies;
}

std::string FingerprintText(const CallsiteInfo& callsite,
                            std::span<const std::uint32_t> stack,
                            std::span<const FrameHash> frame_hashes,
                            std::vector<FrameHash>& scratch) {
  if (callsite.overflow) return OverflowFingerprint().ToString();
  scratch.clear();
  for (const std::uint32_t frame : stack)
    scratch.push_back(frame_hashes[frame]);
  return FingerprintOf(scratch,
                       callsite.cut ? StackEnd::kCut : StackEnd::kOutermost)
      .ToString();
}

}  // namespace

std::string ValueWord(ProfileValue value) {
  switch (value) {
    case ProfileValue::kLiveBytes:
      return "live-bytes";
    case ProfileValue::kLiveObjects:
      return "live-objects";
    case ProfileValue::kAllocatedBytes:
      return "allocated-bytes";
    case ProfileValue::kAllocations:
      return "allocations";
  }
  return "";
}

ProfileValue Companion(ProfileValue value) {
  switch (value) {
    case ProfileValue::kLiveBytes:
      return ProfileValue::kLiveObjects;
    case ProfileValue::kLiveObjects:
      return ProfileValue::kLiveBytes;
    case ProfileValue::kAllocatedBytes:
      return ProfileValue::kAllocations;
    case ProfileValue::kAllocations:
      return ProfileValue::kAllocatedBytes;
  }
  return value;
}

std::int64_t ProfileValues::of(ProfileValue value) const {
  switch (value) {
    case ProfileValue::kLiveBytes:
      return live_bytes;
    case ProfileValue::kLiveObjects:
      return live_objects;
    case ProfileValue::kAllocatedBytes:
      return allocated_bytes;
    case ProfileValue::kAllocations:
      return allocated_objects;
  }
  return 0;
}

ProfileValues& ProfileValues::operator+=(const ProfileValues& other) {
  live_bytes += other.live_bytes;
  live_objects += other.live_objects;
  allocated_bytes += other.allocated_bytes;
  allocated_objects += other.allocated_objects;
  return *this;
}

ProfileValues& ProfileValues::operator-=(const ProfileValues& other) {
  live_bytes -= other.live_bytes;
  live_objects -= other.live_objects;
  allocated_bytes -= other.allocated_bytes;
  allocated_objects -= other.allocated_objects;
  return *this;
}

ProfileValues ValuesOf(const HeapCounters& counters) {
  return {static_cast<std::int64_t>(counters.live_bytes()),
          static_cast<std::int64_t>(counters.live_objects()),
          static_cast<std::int64_t>(counters.allocated_bytes),
          static_cast<std::int64_t>(counters.allocated_objects)};
}

Profile MakeProfile(const std::shared_ptr<const LedgerSnapshot>& snapshot,
                    FrameNames& names) {
  Profile profile;
  profile.facts = FactsOf(*snapshot);
  profile.facts.remarks = RemarksOn(*snapshot);
  profile.modules = snapshot->tables->modules;
  profile.stacks = snapshot->tables->stacks;

  const auto copies = std::make_shared<const std::vector<ResolvedPc>>(
      CopyNames(*snapshot, names));
  profile.names.push_back(copies);
  std::vector<FrameHash> frame_hashes;
  frame_hashes.reserve(copies->size());
  for (std::size_t i = 0; i < copies->size(); ++i) {
    const FrameInfo& frame = snapshot->tables->frames[i];
    const ResolvedPc& resolved = (*copies)[i];
    profile.locations.push_back(
        {frame.module, frame.pc, frame.pc_is_exact, &resolved});
    frame_hashes.push_back(HashFrame(resolved.back()));
  }

  std::vector<std::shared_ptr<const TagInfo>> tags;
  for (const TagInfo& tag : snapshot->tables->tags) {
    tags.push_back(std::make_shared<const TagInfo>(tag));
  }
  const auto callsites = snapshot->callsites();
  profile.samples.reserve(callsites.size());
  std::vector<FrameHash> scratch;
  for (std::size_t i = 0; i < callsites.size(); ++i) {
    const CallsiteInfo& callsite = callsites[i];
    ProfileSample& sample = profile.samples.emplace_back();
    sample.callsite = FingerprintText(callsite, snapshot->stack(callsite),
                                      frame_hashes, scratch);
    sample.name = NameCallsite(*snapshot, callsite, names);
    sample.stack_begin = callsite.stack_begin;
    sample.stack_size = callsite.stack_size;
    sample.values = ValuesOf(snapshot->counters[i]);
    sample.truncated = callsite.truncated;
    sample.incomplete = callsite.incomplete;
    sample.cut = callsite.cut;
    sample.inherited = callsite.inherited;
    sample.overflow = callsite.overflow;
    if (callsite.tag < tags.size()) sample.tag = tags[callsite.tag];
    profile.totals += sample.values;
  }
  return profile;
}

StackLosses LossesOf(const Profile& profile) {
  StackLosses losses;
  for (const ProfileSample& sample : profile.samples) {
    if (sample.truncated) losses.truncated += sample.after();
    if (sample.incomplete) losses.incomplete += sample.after();
    if (sample.cut) losses.cut += sample.after();
  }
  return losses;
}

std::string StackEndMark(const ProfileSample& sample) {
  if (sample.overflow) return "[overflow]";
  if (sample.truncated) return "[truncated]";
  if (sample.cut) return "[cut]";
  if (sample.incomplete) return "[incomplete]";
  return sample.stack_size == 0 ? "[no stack]" : "";
}

std::string FrameFunction(const ResolvedFrame& frame) {
  if (!frame.function.empty()) return frame.function;
  return absl::StrCat(frame.module.empty() ? "?" : frame.module, "+0x",
                      absl::Hex(frame.rel_pc));
}

}  // namespace heapledger::collector
