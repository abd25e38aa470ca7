// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/run_directory.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/profile/hl_marks.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

namespace fs = std::filesystem;

// Runs whose ledgers are kept for `report`.
constexpr std::size_t kKeptRuns = 4;
// Below this much room the other directory is looked at.
constexpr std::uint64_t kComfortableBytes = 16ULL << 20;
// Ledgers of ended processes may take that much, or a quarter of the room.
constexpr std::uint64_t kSweepBudgetBytes = 256ULL << 20;

// As the shim has it (Config::kDirectoryBytes): a longer one is ignored there.
constexpr std::size_t kLongestDirectory = 255;

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

std::uint64_t RoomIn(const std::string& path) {
  struct statvfs facts;
  if (statvfs(path.c_str(), &facts) != 0) return 0;
  return std::uint64_t{facts.f_bavail} * facts.f_frsize;
}

// Makes `path` and makes sure that it is ours alone.
absl::Status MakePrivate(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make the ledger directory ", path, ": ",
                     ErrnoText(errno), "; name another with --dir"));
  }
  struct stat facts;
  if (lstat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) ||
      facts.st_uid != geteuid() || (facts.st_mode & 022) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the ledger directory ", path,
        " is not a directory that you alone may write to; make it so "
        "(chmod 700) or name another with --dir"));
  }
  return absl::OkStatus();
}

// The ledger directory with room, best first.
absl::StatusOr<std::string> BaseDirectory(const DiscoveryOptions& options) {
  if (!options.directory.empty()) {
    absl::Status ok = MakePrivate(options.directory);
    if (!ok.ok()) return ok;
    return options.directory;
  }
  std::string best;
  std::uint64_t best_room = 0;
  absl::Status problem = absl::NotFoundError(
      "there is no place for ledgers; name a directory with --dir");
  for (const std::string& parent : options.parents) {
    const std::string path = absl::StrCat(parent, "/heapledger-", geteuid());
    if (absl::Status ok = MakePrivate(path); !ok.ok()) {
      problem = ok;
      continue;
    }
    const std::uint64_t room = RoomIn(path);
    if (best.empty() || (best_room < kComfortableBytes && room > best_room)) {
      best = path;
      best_room = room;
    }
  }
  if (best.empty()) return problem;
  return best;
}

DiscoveryOptions Only(const std::string& directory) {
  DiscoveryOptions options;
  options.uid = geteuid();
  options.directory = directory;
  return options;
}

bool Runs(const FoundLedger& ledger) {
  const auto stat = ReadProcessStat("/proc", ledger.name.pid);
  return stat && stat->start_time_ticks == ledger.name.start_time_ticks &&
         stat->run_state != 'Z';
}

// Neither a process of the run nor the run itself.
bool Dead(const fs::path& directory) {
  const std::string name = directory.filename().string();
  const std::string pid =
      name.substr(4, name.find('-', 4) - 4);  // "run-<pid>-<n>"
  if (fs::exists("/proc/" + pid)) return false;
  return std::ranges::none_of(DiscoverLedgers(Only(directory.string())).ledgers,
                              Runs);
}

void RemoveOldRuns(const std::string& base) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> runs;
  for (fs::directory_iterator it(base, error), end; !error && it != end;
       it.increment(error)) {
    if (!it->path().filename().string().starts_with("run-")) continue;
    if (!it->is_directory(error) || it->is_symlink(error)) continue;
    runs.emplace_back(it->last_write_time(error), it->path());
  }
  std::ranges::sort(runs, std::greater());
  for (std::size_t i = kKeptRuns - 1; i < runs.size(); ++i) {
    if (Dead(runs[i].second)) fs::remove_all(runs[i].second, error);
  }
}

std::uint64_t BytesOf(const std::string& path) {
  struct stat facts;
  if (lstat(path.c_str(), &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.st_blocks) * 512;
}

}  // namespace

RunDirectory::RunDirectory(std::string path) : path_(std::move(path)) {
  budget_bytes_ = std::min(kSweepBudgetBytes, RoomIn(path_) / 4);
}

absl::StatusOr<RunDirectory> RunDirectory::Create(
    const DiscoveryOptions& options) {
  const auto base = BaseDirectory(options);
  if (!base.ok()) return base.status();
  RemoveOldRuns(*base);
  for (int n = 1;; ++n) {
    const std::string path = absl::StrCat(*base, "/run-", getpid(), "-", n);
    if (path.size() > kLongestDirectory) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ledger directory ", *base, " has too long a name"));
    }
    if (mkdir(path.c_str(), 0700) == 0) return RunDirectory(path);
    if (errno != EEXIST) {
      return absl::PermissionDeniedError(
          absl::StrCat("cannot make ", path, ": ", ErrnoText(errno),
                       "; name a directory with --dir"));
    }
  }
}

absl::StatusOr<RunDirectory> RunDirectory::Use(const std::string& path) {
  std::error_code error;
  // The program may change its working directory.
  const std::string absolute = fs::absolute(path, error).string();
  if (error || absolute.size() > kLongestDirectory) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--dir ", path, " has too long a name or none; name another"));
  }
  if (absl::Status ok = MakePrivate(absolute); !ok.ok()) return ok;
  return RunDirectory(absolute);
}

void RunDirectory::Sweep(
    const std::function<void(const std::string&)>& before) {
  struct Ended {
    std::string path;
    fs::file_time_type when;
    std::uint64_t bytes;
  };
  std::vector<Ended> ended;
  std::uint64_t bytes = 0;
  for (const FoundLedger& ledger : DiscoverLedgers(Only(path_)).ledgers) {
    if (Runs(ledger)) continue;
    std::error_code error;
    const auto when = fs::last_write_time(ledger.path, error);
    ended.push_back({ledger.path, when, BytesOf(ledger.path)});
    bytes += ended.back().bytes;
  }
  std::ranges::sort(ended, {}, &Ended::when);
  for (const Ended& ledger : ended) {
    if (bytes <= budget_bytes_) break;
    before(ledger.path);
    if (unlink(ledger.path.c_str()) != 0) continue;
    bytes -= ledger.bytes;
    ++swept_;
    RemoveOrphanMarks(path_);
  }
}

void RunDirectory::Remove() {
  const Discovered found = DiscoverLedgers(Only(path_));
  if (std::ranges::any_of(found.ledgers, Runs)) return;
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace heapledger::collector::cli
