// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/hl_marks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/profile/hl_facts.h"

namespace heapledger::collector {
namespace {

constexpr std::string_view kSuffix = ".mark";
constexpr std::string_view kLedgerSuffix = ".ledger";
constexpr std::size_t kLongestName = 64;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()),
                                                 closedir);
  if (open == nullptr) return names;
  while (const dirent* const entry = readdir(open.get())) {
    names.emplace_back(entry->d_name);
  }
  return names;
}

// "<pid>-<starttime>", which a ledger's name and its marks' begin with; empty
// for a name that begins otherwise.
std::string_view ProcessPart(std::string_view name) {
  const auto digits = [name](std::size_t from) {
    const std::size_t end = name.find_first_not_of("0123456789", from);
    return end == std::string_view::npos ? name.size() : end;
  };
  const std::size_t dash = digits(0);
  if (dash == 0 || dash >= name.size() || name[dash] != '-') return {};
  const std::size_t end = digits(dash + 1);
  return end == dash + 1 ? std::string_view() : name.substr(0, end);
}

std::string Prefix(const LedgerIdentity& who) {
  return absl::StrCat(who.pid, "-", who.start_time_ticks, "-", who.image, ".");
}

bool SameProcess(const LedgerIdentity& a, const LedgerIdentity& b) {
  return a.Key() == b.Key() && a.boot_id == b.boot_id &&
         a.pid_namespace == b.pid_namespace;
}

std::string_view View(std::string_view text, std::size_t from, std::size_t to) {
  return text.substr(from, to - from);
}

std::vector<std::string> MarkNames(const LedgerSnapshot& ledger) {
  const std::string prefix = Prefix(ledger.identity);
  std::vector<std::string> marks;
  for (const std::string& name : Names(DirectoryOf(ledger.path))) {
    if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) continue;
    if (name.size() <= prefix.size() + kSuffix.size()) continue;
    marks.emplace_back(View(name, prefix.size(), name.size() - kSuffix.size()));
  }
  std::ranges::sort(marks);
  return marks;
}

}  // namespace

absl::Status CheckMarkName(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kLongestName &&
                    std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                             c == '-';
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", std::string(name.substr(0, kLongestName)),
      "' is no name for a mark; take 1 to 64 letters, digits, '.', '_' or "
      "'-'"));
}

std::string MarkPath(const LedgerSnapshot& ledger, std::string_view name) {
  return absl::StrCat(DirectoryOf(ledger.path), "/", Prefix(ledger.identity),
                      std::string(name), std::string(kSuffix));
}

std::vector<HlMark> ListMarks(const LedgerSnapshot& ledger) {
  std::vector<HlMark> marks;
  for (const std::string& name : MarkNames(ledger)) {
    const auto facts = ReadHlFacts(MarkPath(ledger, name));
    if (!facts.ok()) continue;
    LedgerSnapshot then;
    ApplyHlFacts(*facts, then);
    marks.push_back({name, then.taken_realtime_ns, then.totals.live_bytes(),
                     then.totals.live_objects()});
  }
  std::ranges::stable_sort(marks, {}, &HlMark::taken_realtime_ns);
  return marks;
}

absl::StatusOr<HlFile> ReadMark(const LedgerSnapshot& ledger,
                                std::string_view name) {
  if (absl::Status ok = CheckMarkName(name); !ok.ok()) return ok;
  const std::string path = MarkPath(ledger, name);
  const int descriptor =
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (descriptor < 0) {
    const std::vector<std::string> names = MarkNames(ledger);
    return absl::NotFoundError(absl::StrCat(
        "pid ", ledger.identity.pid, " has no mark '", std::string(name), "'; ",
        names.empty() ? absl::StrCat("set one with heapledger mark ",
                                     ledger.identity.pid, " NAME")
                      : absl::StrCat("it has ", absl::StrJoin(names, ", "))));
  }
  struct stat file;
  struct stat directory;
  if (fstat(descriptor, &file) != 0 ||
      stat(DirectoryOf(path).c_str(), &directory) != 0 ||
      file.st_uid != directory.st_uid) {
    close(descriptor);
    return absl::PermissionDeniedError(
        absl::StrCat("mark ", path,
                     " belongs to somebody else than its directory; remove "
                     "it"));
  }
  auto mark = ReadHl(descriptor, path);
  if (mark.ok() && !SameProcess(mark->snapshot->identity, ledger.identity)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "mark ", path, " is of another process than its name says; remove it"));
  }
  return mark;
}

void RemoveOrphanMarks(const std::string& directory) {
  const std::vector<std::string> names = Names(directory);
  std::set<std::string_view> processes;
  for (const std::string& name : names) {
    if (name.ends_with(kLedgerSuffix)) processes.insert(ProcessPart(name));
  }
  for (const std::string& name : names) {
    const std::string_view process = ProcessPart(name);
    if (process.empty() || !name.ends_with(kSuffix)) continue;
    if (processes.contains(process)) continue;
    (void)unlink(absl::StrCat(directory, "/", name).c_str());
  }
}

}  // namespace heapledger::collector
