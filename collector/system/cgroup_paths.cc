// SPDX-License-Identifier: Apache-2.0
#include "collector/system/cgroup_paths.h"

#include "absl/strings/str_cat.h"
#include "collector/system/numbers.h"

namespace heapledger::collector {
namespace {

// Deeper ones the kernel allows, nobody makes.
constexpr std::size_t kMaxDepth = 64;

bool HasWord(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (NextPart(list, ',') == word) return true;
  }
  return false;
}

// mountinfo writes blanks and backslashes as "\ooo".
std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view octal = text.substr(i).substr(0, 4);
    if (octal.size() == 4 && octal[0] == '\\' &&
        octal.find_first_not_of("01234567", 1) == std::string_view::npos) {
      plain += static_cast<char>((octal[1] - '0') * 64 + (octal[2] - '0') * 8 +
                                 (octal[3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool ClimbsOut(std::string_view path) {
  while (!path.empty()) {
    if (NextPart(path, '/') == "..") return true;
  }
  return false;
}

// The part of `path` below what is mounted: empty, or "/…".
std::optional<std::string_view> BelowMount(const CgroupMount& mount,
                                           std::string_view path) {
  if (!path.starts_with('/') || ClimbsOut(path)) return std::nullopt;
  if (path == "/") path = {};
  if (mount.root == "/") return path;
  if (!path.starts_with(mount.root)) return std::nullopt;
  path.remove_prefix(mount.root.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return path;
}

std::vector<std::string> Chain(const std::string& mount_point,
                               std::string_view below) {
  std::vector<std::string> chain;
  while (chain.size() < kMaxDepth) {
    chain.push_back(absl::StrCat(mount_point, std::string(below)));
    if (below.empty()) break;
    below = below.substr(0, below.rfind('/'));
  }
  return chain;
}

}  // namespace

CgroupMounts ParseCgroupMounts(std::string_view mountinfo) {
  CgroupMounts mounts;
  while (!mountinfo.empty()) {
    // "id parent device root mount-point options [tags…] - type source options"
    std::string_view line = NextPart(mountinfo, '\n');
    for (int i = 0; i < 3; ++i) NextWord(line);
    const std::string_view root = NextWord(line);
    const std::string_view mount_point = NextWord(line);
    std::string_view word = NextWord(line);
    while (!word.empty() && word != "-") word = NextWord(line);
    const std::string_view type = NextWord(line);
    NextWord(line);
    const std::string_view options = NextWord(line);
    const CgroupMount mount{.mount_point = Unescape(mount_point),
                            .root = Unescape(root)};
    if (type == "cgroup2" && !mounts.v2) mounts.v2 = mount;
    if (type == "cgroup" && HasWord(options, "memory") && !mounts.v1_memory) {
      mounts.v1_memory = mount;
    }
  }
  return mounts;
}

CgroupMembership ParseCgroupMembership(std::string_view text) {
  CgroupMembership membership;
  while (!text.empty()) {
    std::string_view path = NextPart(text, '\n');
    const std::string_view hierarchy = NextPart(path, ':');
    const std::string_view controllers = NextPart(path, ':');
    if (hierarchy == "0" && controllers.empty()) membership.v2 = path;
    if (HasWord(controllers, "memory")) membership.v1_memory = path;
  }
  return membership;
}

std::optional<CgroupPlace> LocateCgroup(const CgroupMounts& mounts,
                                        const CgroupMembership& membership,
                                        const std::string& file_system_root) {
  CgroupPlace place;
  if (mounts.v2 && membership.v2) {
    if (const auto below = BelowMount(*mounts.v2, *membership.v2)) {
      place.name = *membership.v2;
      place.chain = Chain(file_system_root + mounts.v2->mount_point, *below);
      place.pressure_directory = place.chain.front();
    }
  }
  // The controller is in one hierarchy only: where v1 lists it, v1 has it.
  if (mounts.v1_memory && membership.v1_memory) {
    if (const auto below =
            BelowMount(*mounts.v1_memory, *membership.v1_memory)) {
      // The pressure of a group of another name is not this one's; in v2's
      // root, where containers of v1 are, it is the host's.
      if (place.name != *membership.v1_memory) place.pressure_directory.clear();
      place.version = CgroupVersion::kV1;
      place.name = *membership.v1_memory;
      place.chain =
          Chain(file_system_root + mounts.v1_memory->mount_point, *below);
    }
  }
  if (place.chain.empty()) return std::nullopt;
  return place;
}

}  // namespace heapledger::collector
