// SPDX-License-Identifier: Apache-2.0
#include "collector/response/cgroup_control.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/response/descriptor.h"
#include "collector/response/units.h"
#include "collector/system/cgroup_memory.h"
#include "collector/system/read_file.h"

namespace heapledger::collector::response {
namespace {

// Less would stop the group rather than slow it down.
constexpr std::uint64_t kLeastHigh = 1 << 20;

absl::StatusOr<std::string> ReadLine(const std::string& path) {
  auto text = ReadSmallFile(path);
  if (!text.ok()) return text.status();
  while (text->ends_with('\n')) text->pop_back();
  return text;
}

absl::Status WriteFile(const std::string& path, std::string_view text) {
  // Without O_CREAT: what the kernel does not have is an error.
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.ok()) return absl::ErrnoToStatus(errno, "open " + path);
  if (::write(file.get(), text.data(), text.size()) ==
      static_cast<ssize_t>(text.size())) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "write " + path);
}

}  // namespace

absl::StatusOr<CgroupControl> CgroupControl::Of(const std::string& membership,
                                                const std::string& root) {
  const auto mounts = ReadSmallFile(root + "/proc/self/mountinfo", 1 << 20);
  if (!mounts.ok()) return mounts.status();
  const CgroupMounts parsed = ParseCgroupMounts(*mounts);
  auto place = LocateCgroup(parsed, ParseCgroupMembership(membership), root);
  if (!place) {
    return absl::FailedPreconditionError(
        "no hierarchy of cgroups is mounted here that has the program");
  }
  if (place->chain.size() < 2) {
    return absl::FailedPreconditionError(
        "it is in the root cgroup, which has everything else, too; give it a "
        "group of its own");
  }
  const auto ours =
      LocateCgroup(parsed,
                   ParseCgroupMembership(
                       ReadSmallFile(root + "/proc/self/cgroup").value_or("")),
                   root);
  if (ours && ours->chain.front() == place->chain.front()) {
    return absl::FailedPreconditionError(
        "it is in the same cgroup as the collector, which would be held up "
        "with it; give it a group of its own");
  }
  return CgroupControl(*std::move(place));
}

absl::StatusOr<std::string> CgroupControl::SetHigh(
    const MemoryHighAction& action) const {
  const bool v1 = place_.version == CgroupVersion::kV1;
  if (v1 && !action.soft_limit) {
    return absl::UnimplementedError(
        "cgroup v1 has no memory.high; soft_limit: yes allows its soft limit, "
        "which counts only while the whole host is short of memory");
  }
  const std::string& directory = place_.chain.front();
  const auto memory = ReadCgroupMemory(place_.version, directory);
  if (!memory) {
    return absl::FailedPreconditionError(absl::StrCat(
        "its cgroup ", place_.name,
        " has no accounts of memory; give the group the memory controller"));
  }
  if (action.at.ratio > 0 && !memory->limit) {
    return absl::FailedPreconditionError(
        absl::StrCat("its cgroup ", place_.name,
                     " has no limit to take a share of; give `at` in bytes"));
  }
  const std::uint64_t wanted = action.at.Of(memory->limit.value_or(0));
  if (wanted < kLeastHigh) {
    return absl::FailedPreconditionError(
        absl::StrCat(BytesText(wanted), " would stop it; give 1MiB or more"));
  }
  const std::string file = absl::StrCat(
      directory, v1 ? "/memory.soft_limit_in_bytes" : "/memory.high");
  const auto before = ReadLine(file);
  if (!before.ok()) return before.status();
  const std::string text = absl::StrCat(wanted);
  if (absl::Status ok = WriteFile(file, text); !ok.ok()) return ok;
  // The kernel rounds to pages.
  const auto after = ReadLine(file);
  if (!after.ok()) return after.status();
  return absl::StrCat(file, "\n", *before, "\n", *after);
}

absl::Status CgroupControl::RestoreHigh(const std::string& token) {
  const std::vector<std::string> parts = absl::StrSplit(token, '\n');
  if (parts.size() != 3) return absl::InternalError("nothing is known of it");
  const auto now = ReadLine(parts[0]);
  if (absl::IsNotFound(now.status())) return absl::OkStatus();  // It is gone.
  if (!now.ok()) return now.status();
  if (*now != parts[2]) return absl::OkStatus();
  return WriteFile(parts[0], parts[1]);
}

absl::StatusOr<std::optional<std::uint64_t>> CgroupControl::Reclaim(
    const ReclaimAction& action) const {
  const std::string& directory = place_.chain.front();
  if (place_.version == CgroupVersion::kV1) {
    if (!action.force_empty) {
      return absl::UnimplementedError(
          "cgroup v1 has no memory.reclaim; force_empty: yes allows "
          "memory.force_empty, which takes all that it can");
    }
    absl::Status done = WriteFile(directory + "/memory.force_empty", "0");
    if (!done.ok()) return done;
    return std::nullopt;
  }
  const auto memory = ReadCgroupMemory(place_.version, directory);
  if (!memory) {
    return absl::FailedPreconditionError(
        absl::StrCat("its cgroup ", place_.name, " has no accounts of memory"));
  }
  const std::uint64_t wanted = action.amount.Of(memory->current);
  const absl::Status done =
      WriteFile(directory + "/memory.reclaim", absl::StrCat(wanted));
  if (absl::IsNotFound(done)) {
    return absl::UnimplementedError(
        "this kernel has no memory.reclaim; it came with Linux 5.19");
  }
  // EAGAIN: less could be had than was asked for.
  if (!done.ok() && !absl::IsUnavailable(done)) return done;
  return std::optional<std::uint64_t>(wanted);
}

}  // namespace heapledger::collector::response
