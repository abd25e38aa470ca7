// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/suspect_rules.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

constexpr std::string_view kSystemFolders[] = {"/usr/", "/lib/", "/lib32/",
                                               "/lib64/", "/libx32/"};

bool InSystemFolder(std::string_view path) {
  // What an administrator puts there is as good as the program's own.
  if (path.starts_with("/usr/local/")) return false;
  return std::ranges::any_of(kSystemFolders, [path](std::string_view folder) {
    return path.starts_with(folder);
  });
}

bool Fits(const std::string& pattern, const std::string& path) {
  return ::fnmatch(pattern.c_str(), path.c_str(), 0) == 0 ||
         ::fnmatch(pattern.c_str(), std::string(BaseName(path)).c_str(), 0) ==
             0;
}

bool IsOwn(const SuspectRules& rules, const LedgerSnapshot& snapshot,
           const ModuleInfo* module) {
  if (module == nullptr) return true;
  if (module->path == snapshot.identity.exe) return true;
  if (!InSystemFolder(module->path)) return true;
  return std::ranges::any_of(
      rules.own_modules,
      [module](const std::string& own) { return Fits(own, module->path); });
}

// By the first frame that is no allocator's plumbing.
bool IsThirdParty(const SuspectRules& rules, const LedgerSnapshot& snapshot,
                  const CallsiteInfo& callsite, FrameNames& names) {
  const NamingFrame found = FindNamingFrame(snapshot, callsite, names);
  if (found.function == nullptr || found.is_plumbing) return false;
  if (found.function->python) {
    return InSystemFolder(found.function->file) &&
           std::ranges::none_of(rules.own_modules,
                                [&found](const std::string& own) {
                                  return Fits(own, found.function->file);
                                });
  }
  return !IsOwn(rules, snapshot,
                snapshot.module_of(snapshot.tables->frames[found.frame]));
}

std::vector<ResolvedFrame> FramesOf(const LedgerSnapshot& snapshot,
                                    const CallsiteInfo& callsite,
                                    FrameNames& names) {
  std::vector<ResolvedFrame> frames;
  for (const std::uint32_t index : snapshot.stack(callsite)) {
    const ResolvedPc& at = names.Resolve(snapshot, index);
    frames.insert(frames.end(), at.begin(), at.end());
  }
  return frames;
}

std::string_view NextWord(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  return line.substr(0, line.find_first_of(" \t\r#"));
}

}  // namespace

std::string_view StateWord(SuspectState state) {
  switch (state) {
    case SuspectState::kNew:
      return "new";
    case SuspectState::kKnown:
      return "known";
    case SuspectState::kThirdParty:
      return "third-party";
    case SuspectState::kSuppressed:
      return "suppressed";
  }
  return "";
}

SuspectState StateOf(const SuspectRules& rules, const LedgerSnapshot& snapshot,
                     const CallsiteInfo& callsite, Fingerprint fingerprint,
                     FrameNames& names) {
  if (rules.suppress && rules.suppress(FramesOf(snapshot, callsite, names))) {
    return SuspectState::kSuppressed;
  }
  if (rules.known.contains(fingerprint.value())) return SuspectState::kKnown;
  if (IsThirdParty(rules, snapshot, callsite, names)) {
    return SuspectState::kThirdParty;
  }
  return SuspectState::kNew;
}

absl::StatusOr<std::unordered_set<std::uint64_t>> ParseBaseline(
    std::string_view text, const std::string& path) {
  std::unordered_set<std::uint64_t> known;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view word = NextWord(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    std::uint64_t value = 0;
    const auto [rest, error] =
        std::from_chars(word.data(), word.data() + word.size(), value, 16);
    if (error != std::errc() || rest != word.data() + word.size() ||
        word.size() != 16) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":", line,
          ": no fingerprint of 16 hex digits; copy those that heapledger leaks "
          "prints, one a line"));
    }
    known.insert(value);
  }
  return known;
}

absl::StatusOr<std::unordered_set<std::uint64_t>> ReadBaseline(
    const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (text << file.rdbuf(), file.bad())) {
    return absl::NotFoundError(
        absl::StrCat("read baseline ", path, ": ", std::strerror(errno),
                     "; give a file with a fingerprint on each line"));
  }
  return ParseBaseline(text.str(), path);
}

}  // namespace heapledger::collector
