// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "collector/system/numbers.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::string_view kSuffix = ".hl";
constexpr std::string_view kTemporaryPrefix = ".sealing-";
// Nobody writes at one for that long.
constexpr time_t kAbandonedSeconds = 600;
constexpr std::size_t kBootBytes = 8;
constexpr std::size_t kLongestProgram = 64;
constexpr std::uint64_t kSecond = 1'000'000'000;

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

// A program's name comes from the target: no slash, nothing that a shell minds.
std::string PlainName(std::string_view program) {
  std::string name(program.substr(0, kLongestProgram));
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                       c == '-' || c == '+';
    if (!plain) c = '_';
  }
  // One that began with a dot would hide.
  if (name.empty() || name[0] == '.') name.insert(0, "_");
  return name;
}

std::string BootPart(std::string_view boot_id) {
  std::string boot(boot_id.substr(0, kBootBytes));
  for (char& c : boot) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (!hex) c = '0';
  }
  return boot.empty() ? "0" : boot;
}

// Takes the part behind the last '-' off `name`.
std::string_view TakeLast(std::string_view& name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view part = name.substr(dash + 1);
  name = name.substr(0, dash);
  return part;
}

std::optional<StoredObituary> ParseName(std::string_view name) {
  if (!name.ends_with(kSuffix) || name.starts_with('.')) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  StoredObituary stored;
  stored.boot = TakeLast(name);
  const auto image = ParseNumber(TakeLast(name));
  const auto start = ParseNumber(TakeLast(name));
  const auto pid = ParseNumber(TakeLast(name));
  if (stored.boot.empty() || !image || !start || !pid || name.empty() ||
      *pid > UINT32_MAX || *image > UINT32_MAX) {
    return std::nullopt;
  }
  stored.image = static_cast<std::uint32_t>(*image);
  stored.start_time_ticks = *start;
  stored.pid = static_cast<std::uint32_t>(*pid);
  stored.program = name;
  return stored;
}

template <typename Visit>
void ForEachName(const std::string& directory, Visit&& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()),
                                                 closedir);
  if (open == nullptr) return;
  while (const dirent* const entry = readdir(open.get())) visit(entry->d_name);
}

absl::Status CannotWrite(const std::string& path, int error) {
  const std::string why =
      absl::StrCat("cannot write obituary ", path, ": ", ErrnoText(error));
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(
        why + "; make room, or lower --obituary-max-bytes");
  }
  if (error == EEXIST) return absl::AlreadyExistsError(why);
  return absl::PermissionDeniedError(why +
                                     "; name another place with --obituaries");
}

bool WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool SetTimes(int descriptor, std::uint64_t realtime_ns) {
  timespec time = {};
  time.tv_sec = static_cast<time_t>(realtime_ns / kSecond);
  time.tv_nsec = static_cast<long>(realtime_ns % kSecond);
  const timespec times[2] = {time, time};
  return futimens(descriptor, times) == 0;
}

// As in cli/output_file.cc: never over something that is there.
int Place(const std::string& temporary, const std::string& path) {
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(),
                RENAME_NOREPLACE) == 0) {
    return 0;
  }
  if (errno != EINVAL) return errno;
  // Some file systems know no flags; a link never replaces anything.
  if (link(temporary.c_str(), path.c_str()) != 0) return errno;
  unlink(temporary.c_str());
  return 0;
}

// So that the name is on the disk as well as the bytes.
void SyncDirectory(const std::string& directory) {
  const int descriptor =
      open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  close(descriptor);
}

void RemoveTheOldest(const StoreOptions& options) {
  std::uint64_t bytes = 0;
  std::size_t kept = 0;
  for (const StoredObituary& stored : ListStore(options.directory)) {
    bytes += stored.bytes;
    // The newest stays, however large it is.
    if (kept == 0 || (kept < options.keep && bytes <= options.max_bytes)) {
      ++kept;
    } else {
      (void)unlink(stored.path.c_str());
    }
  }
}

}  // namespace

bool StoredObituary::Of(const LedgerIdentity& who) const {
  return pid == who.pid && start_time_ticks == who.start_time_ticks &&
         image == who.image && boot == BootPart(who.boot_id);
}

absl::Status PrepareStore(const std::string& directory) {
  const auto parent = std::filesystem::path(directory).parent_path();
  std::error_code ignored;
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::PermissionDeniedError(absl::StrCat(
        "cannot make the directory of obituaries ", directory, ": ",
        ErrnoText(errno), "; name another place with --obituaries"));
  }
  struct stat status;
  if (stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return absl::PermissionDeniedError(
        absl::StrCat(directory,
                     " is no directory for obituaries; name another place with "
                     "--obituaries"));
  }
  const bool ours = status.st_uid == geteuid() || geteuid() == 0;
  if (!ours || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("others may write to the directory of obituaries ",
                     directory, "; make it yours and mode 0700"));
  }
  if (access(directory.c_str(), W_OK | X_OK) != 0) {
    return CannotWrite(directory + "/", errno);
  }
  const time_t now = time(nullptr);
  ForEachName(directory, [&](std::string_view name) {
    if (!name.starts_with(kTemporaryPrefix)) return;
    const std::string path = absl::StrCat(directory, "/", std::string(name));
    struct stat left;
    // Its time of modification is the death's.
    if (lstat(path.c_str(), &left) == 0 &&
        left.st_ctime + kAbandonedSeconds < now) {
      (void)unlink(path.c_str());
    }
  });
  return absl::OkStatus();
}

std::vector<StoredObituary> ListStore(const std::string& directory) {
  std::vector<StoredObituary> list;
  ForEachName(directory, [&](std::string_view name) {
    auto stored = ParseName(name);
    if (!stored) return;
    stored->path = absl::StrCat(directory, "/", std::string(name));
    struct stat status;
    if (lstat(stored->path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return;
    }
    stored->bytes = static_cast<std::uint64_t>(status.st_size);
    if (status.st_mtim.tv_sec >= 0) {
      stored->died_realtime_ns =
          static_cast<std::uint64_t>(status.st_mtim.tv_sec) * kSecond +
          static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
    }
    list.push_back(*std::move(stored));
  });
  std::ranges::sort(list, [](const auto& a, const auto& b) {
    return std::tie(b.died_realtime_ns, b.path) <
           std::tie(a.died_realtime_ns, a.path);
  });
  return list;
}

std::string StorePath(const std::string& directory, const LedgerIdentity& who) {
  return absl::StrCat(directory, "/", PlainName(who.Program()), "-", who.pid,
                      "-", who.start_time_ticks, "-", who.image, "-",
                      BootPart(who.boot_id), std::string(kSuffix));
}

absl::StatusOr<std::string> WriteToStore(const StoreOptions& options,
                                         const LedgerIdentity& who,
                                         std::uint64_t died_realtime_ns,
                                         std::string_view bytes) {
  const std::string path = StorePath(options.directory, who);
  std::string temporary = absl::StrCat(options.directory, "/",
                                       std::string(kTemporaryPrefix), "XXXXXX");
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return CannotWrite(path, errno);
  absl::Cleanup remove_it = [&temporary] { unlink(temporary.c_str()); };
  const bool written = WriteAll(descriptor, bytes) &&
                       SetTimes(descriptor, died_realtime_ns) &&
                       fsync(descriptor) == 0;
  const int error = errno;
  close(descriptor);
  if (!written) return CannotWrite(path, error);
  if (const int failed = Place(temporary, path); failed != 0) {
    return CannotWrite(path, failed);
  }
  std::move(remove_it).Cancel();
  SyncDirectory(options.directory);
  RemoveTheOldest(options);
  return path;
}

bool WouldStay(const StoreOptions& options,
               const std::vector<StoredObituary>& stored,
               std::uint64_t died_realtime_ns) {
  std::uint64_t bytes = 0;
  std::size_t newer = 0;
  for (const StoredObituary& other : stored) {
    if (other.died_realtime_ns < died_realtime_ns) break;
    ++newer;
    bytes += other.bytes;
  }
  return newer < options.keep && bytes < options.max_bytes;
}

}  // namespace heapledger::collector::obituary
