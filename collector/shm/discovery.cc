// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/discovery.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/shm/process_identity.h"
#include "heapledger/ledger/name.h"

namespace heapledger::collector {
namespace {

constexpr std::string_view kDirectoryPrefix = "heapledger-";
constexpr std::string_view kRunPrefix = "run-";

using DirectoryHandle = std::unique_ptr<DIR, int (*)(DIR*)>;

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

// Takes digits off the front of `text`; none for "", "+1", "01" and overflow,
// so that one number has one name.
template <typename Number>
std::optional<Number> TakeNumber(std::string_view& text) {
  Number value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || (text[0] == '0' && end - text.data() > 1)) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool TakeChar(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::vector<std::string> Names(DIR* directory) {
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(directory)) {
    names.emplace_back(entry->d_name);
  }
  std::ranges::sort(names);
  return names;
}

enum class OwnerRule { kExact, kSelfOrRoot };

// One directory of ledgers, opened once so that all checks and names are of the
// same inode.
class DirectoryScan {
 public:
  explicit DirectoryScan(Discovered* found) : found_(found) {}

  void Scan(const std::string& path, uid_t owner, OwnerRule rule) {
    const int descriptor =
        open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) {
      if (errno != ENOENT) Refuse(path, ErrnoText(errno));
      return;
    }
    ScanDescriptor(descriptor, path, owner, rule, Depth::kTop);
  }

 private:
  enum class Depth { kTop, kRun };

  void Refuse(const std::string& path, const std::string& why) {
    found_->problems.push_back(
        absl::StrCat("ledger directory ", path, " is left out: ", why));
  }

  bool Trusted(int descriptor, const std::string& path, uid_t owner,
               OwnerRule rule, uid_t* actual) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
      Refuse(path, ErrnoText(errno));
      return false;
    }
    *actual = status.st_uid;
    const bool owned =
        status.st_uid == owner ||
        (rule == OwnerRule::kSelfOrRoot && (owner == 0 || status.st_uid == 0));
    if (!owned) {
      Refuse(path, absl::StrCat("it belongs to user ", status.st_uid,
                                ", not to user ", owner));
    } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      Refuse(path, "others may write to it; make it mode 0700");
    } else {
      return true;
    }
    return false;
  }

  void ScanDescriptor(int descriptor, const std::string& path, uid_t owner,
                      OwnerRule rule, Depth depth) {
    const DirectoryHandle directory(fdopendir(descriptor), closedir);
    if (directory == nullptr) {
      close(descriptor);
      return;
    }
    uid_t actual = 0;
    if (!Trusted(descriptor, path, owner, rule, &actual)) return;
    for (const std::string& name : Names(directory.get())) {
      if (const auto parsed = ParseLedgerName(name)) {
        AddFile(descriptor, path, name, *parsed, actual);
      } else if (depth == Depth::kTop && name.starts_with(kRunPrefix)) {
        const int below =
            openat(descriptor, name.c_str(),
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0) continue;
        ScanDescriptor(below, absl::StrCat(path, "/", name), actual,
                       OwnerRule::kExact, Depth::kRun);
      }
    }
  }

  void AddFile(int directory, const std::string& path, const std::string& name,
               const LedgerName& parsed, uid_t owner) {
    FoundLedger found;
    found.path = absl::StrCat(path, "/", name);
    found.name = parsed;
    found.owner = owner;
    if (parsed.kind == LedgerName::Kind::kLedger) {
      struct stat status;
      if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
      }
      found.inode = status.st_ino;
      found_->ledgers.push_back(std::move(found));
      return;
    }
    // A longer text is no OffReason; readlinkat cuts it and the parse fails.
    char text[12];
    const ssize_t size = readlinkat(directory, name.c_str(), text, sizeof text);
    if (size <= 0) return;
    std::string_view rest(text, static_cast<std::size_t>(size));
    const auto reason = TakeNumber<std::uint32_t>(rest);
    if (!reason || !rest.empty()) return;
    found.off_reason = reason;
    found_->off_markers.push_back(std::move(found));
  }

  Discovered* found_;
};

// As root: every "heapledger-<uid>" below `parent`.
void ScanParent(const DiscoveryOptions& options, const std::string& parent,
                DirectoryScan& scan) {
  const DirectoryHandle directory(opendir(parent.c_str()), closedir);
  if (directory == nullptr) return;
  for (const std::string& name : Names(directory.get())) {
    if (!name.starts_with(kDirectoryPrefix)) continue;
    std::string_view rest =
        std::string_view(name).substr(kDirectoryPrefix.size());
    const auto uid = TakeNumber<uid_t>(rest);
    if (!uid || !rest.empty()) continue;
    if (options.uid != 0 && *uid != options.uid) continue;
    scan.Scan(absl::StrCat(parent, "/", name), *uid, OwnerRule::kExact);
  }
}

using ProcessKey = std::pair<std::uint32_t, std::uint64_t>;

std::vector<UnmeasuredProcess> FromMarkers(const DiscoveryOptions& options,
                                           const Discovered& discovered,
                                           std::set<ProcessKey>& known) {
  std::vector<UnmeasuredProcess> result;
  for (const FoundLedger& marker : discovered.off_markers) {
    const ProcessKey key(marker.name.pid, marker.name.start_time_ticks);
    // A ledger that was begun and given up has both; the ledger tells more.
    if (!known.insert(key).second) continue;
    UnmeasuredProcess process;
    process.pid = marker.name.pid;
    process.start_time_ticks = marker.name.start_time_ticks;
    process.uid = marker.owner;
    process.off_reason = marker.off_reason;
    const auto stat = ReadProcessStat(options.proc_root, process.pid);
    process.alive = stat &&
                    stat->start_time_ticks == process.start_time_ticks &&
                    stat->run_state != 'Z';
    if (process.alive) process.program = stat->comm;
    result.push_back(std::move(process));
  }
  return result;
}

}  // namespace

DiscoveryOptions DiscoveryOptions::FromEnvironment() {
  DiscoveryOptions options;
  options.uid = geteuid();
  if (const char* const directory = secure_getenv("HEAPLEDGER_DIR")) {
    options.directory = directory;
  }
  return options;
}

std::optional<LedgerName> ParseLedgerName(std::string_view name) {
  LedgerName parsed;
  const auto pid = TakeNumber<std::uint32_t>(name);
  if (!pid || !TakeChar(name, '-')) return std::nullopt;
  const auto start = TakeNumber<std::uint64_t>(name);
  if (!start) return std::nullopt;
  parsed.pid = *pid;
  parsed.start_time_ticks = *start;
  if (name == ledger::kLedgerSuffix) return parsed;
  if (name == ledger::kOffSuffix) {
    parsed.kind = LedgerName::Kind::kOffMarker;
    return parsed;
  }
  if (!TakeChar(name, '.')) return std::nullopt;
  parsed.replaced_image = TakeNumber<std::uint32_t>(name);
  if (!parsed.replaced_image || name != ledger::kLedgerSuffix) {
    return std::nullopt;
  }
  return parsed;
}

Discovered DiscoverLedgers(const DiscoveryOptions& options) {
  Discovered found;
  DirectoryScan scan(&found);
  if (!options.directory.empty()) {
    scan.Scan(options.directory, options.uid, OwnerRule::kSelfOrRoot);
  } else {
    for (const std::string& parent : options.parents) {
      ScanParent(options, parent, scan);
    }
  }
  std::ranges::sort(found.ledgers, {}, [](const FoundLedger& ledger) {
    // The current image last: it has no number of its own in the name.
    return std::tuple(ledger.name.pid, ledger.name.start_time_ticks,
                      ledger.name.replaced_image.value_or(UINT32_MAX),
                      ledger.path);
  });
  return found;
}

absl::StatusOr<int> OpenLedgerFile(const std::string& path, uid_t owner) {
  // NONBLOCK: a fifo in the ledger's place must not hold us up.
  const int descriptor =
      open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int error = errno;
    const std::string why =
        error == ELOOP ? "it is a symbolic link" : ErrnoText(error);
    const std::string message = absl::StrCat("open ledger ", path, ": ", why);
    return error == ENOENT ? absl::NotFoundError(message)
                           : absl::PermissionDeniedError(message);
  }
  absl::Cleanup close_it = [descriptor] { close(descriptor); };
  struct stat status;
  if (fstat(descriptor, &status) != 0) {
    return absl::InternalError(
        absl::StrCat("stat ledger ", path, ": ", ErrnoText(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("open ledger ", path, ": it is no regular file"));
  }
  if (status.st_uid != owner) {
    return absl::PermissionDeniedError(
        absl::StrCat("open ledger ", path, ": it belongs to user ",
                     status.st_uid, ", its directory to user ", owner));
  }
  std::move(close_it).Cancel();
  return descriptor;
}

std::vector<UnmeasuredProcess> FindUnmeasured(const DiscoveryOptions& options,
                                              const Discovered& discovered,
                                              UnmeasuredScan scan) {
  std::set<ProcessKey> known;
  for (const FoundLedger& ledger : discovered.ledgers) {
    if (ledger.name.replaced_image) continue;
    known.emplace(ledger.name.pid, ledger.name.start_time_ticks);
  }
  std::vector<UnmeasuredProcess> result =
      FromMarkers(options, discovered, known);
  if (scan == UnmeasuredScan::kMarkersOnly) return result;
  const DirectoryHandle directory(opendir(options.proc_root.c_str()), closedir);
  if (directory == nullptr) return result;
  for (const std::string& name : Names(directory.get())) {
    std::string_view rest = name;
    const auto pid = TakeNumber<std::uint32_t>(rest);
    if (!pid || !rest.empty() || !MapsShim(options.proc_root, *pid)) continue;
    const auto stat = ReadProcessStat(options.proc_root, *pid);
    if (!stat || known.contains({*pid, stat->start_time_ticks})) continue;
    struct stat owner = {};
    const std::string path = absl::StrCat(options.proc_root, "/", *pid);
    if (::stat(path.c_str(), &owner) != 0) continue;
    result.push_back({*pid, stat->start_time_ticks, owner.st_uid, true,
                      stat->comm, std::nullopt});
  }
  return result;
}

}  // namespace heapledger::collector
