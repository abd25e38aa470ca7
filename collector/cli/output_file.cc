// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace heapledger::collector::cli {
namespace {

// %n beyond that is a directory that nobody looks into.
constexpr std::uint64_t kHighestNumber = 99'999;

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

// A program's name comes from the target: no slash, nothing that a shell minds.
std::string PlainName(std::string_view program) {
  std::string name(program);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                       c == '-' || c == '+';
    if (!plain) c = '_';
  }
  return name;
}

std::string CompactTime(std::uint64_t realtime_ns) {
  const auto seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
  tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size =
      strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return {text, size};
}

bool HasNumber(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    if (pattern[++i] == 'n') return true;
  }
  return false;
}

absl::Status WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::UnavailableError(ErrnoText(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

// Puts `temporary` in the place of `path`. False if something is there that
// must stay.
absl::StatusOr<bool> Place(const std::string& temporary,
                           const std::string& path, Overwrite overwrite) {
  const unsigned flags = overwrite == Overwrite::kForce ? 0 : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), flags) ==
      0) {
    return true;
  }
  if (errno == EEXIST) return false;
  // Some file systems know no flags; a link never replaces anything.
  if (errno == EINVAL && flags != 0) {
    if (link(temporary.c_str(), path.c_str()) == 0) {
      unlink(temporary.c_str());
      return true;
    }
    if (errno == EEXIST) return false;
  }
  return absl::PermissionDeniedError(
      absl::StrCat("cannot write ", path, ": ", ErrnoText(errno)));
}

std::string TemporaryBeside(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return directory + ".heapledger-XXXXXX";
}

}  // namespace

NameFields NameFields::Of(const LedgerSnapshot& snapshot) {
  return {snapshot.identity.Program(), snapshot.identity.pid,
          snapshot.taken_realtime_ns};
}

std::string EscapedName(std::string_view path) {
  return absl::StrReplaceAll(absl::string_view(path.data(), path.size()),
                             {{"%", "%%"}});
}

bool NamesEachProcess(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    if (pattern[++i] == 'p') return true;
  }
  return false;
}

absl::StatusOr<std::string> ExpandName(std::string_view pattern,
                                       const NameFields& fields,
                                       std::uint64_t number) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      name += pattern[i];
      continue;
    }
    const char sign = i + 1 < pattern.size() ? pattern[++i] : '\0';
    switch (sign) {
      case 'p':
        absl::StrAppend(&name, fields.pid);
        break;
      case 'e':
        name += PlainName(fields.program);
        break;
      case 't':
        name += CompactTime(fields.realtime_ns);
        break;
      case 'n':
        absl::StrAppend(&name, number);
        break;
      case '%':
        name += '%';
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat(
            "the name ", std::string(pattern),
            " has a sign that is none of %p, %e, %t, %n and %%; write %% for "
            "a percent sign"));
    }
  }
  if (name.empty() || name.ends_with('/')) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", std::string(pattern), "' names no file; give one with -o FILE"));
  }
  return name;
}

absl::StatusOr<std::string> WriteOutput(std::string_view pattern,
                                        const NameFields& fields,
                                        std::string_view bytes,
                                        Overwrite overwrite) {
  auto path = ExpandName(pattern, fields, 1);
  if (!path.ok()) return path;
  std::string temporary = TemporaryBeside(*path);
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot write ", *path, ": ", ErrnoText(errno),
                     "; name another place with -o FILE"));
  }
  absl::Cleanup remove_it = [&temporary] { unlink(temporary.c_str()); };
  const absl::Status written = WriteAll(descriptor, bytes);
  const bool closed = close(descriptor) == 0;
  if (!written.ok() || !closed) {
    return absl::UnavailableError(absl::StrCat(
        "cannot write ", *path, ": ",
        written.ok() ? ErrnoText(errno) : std::string(written.message()),
        "; make room or name another place with -o FILE"));
  }
  const std::uint64_t last = HasNumber(pattern) ? kHighestNumber : 1;
  for (std::uint64_t number = 1; number <= last; ++number) {
    path = ExpandName(pattern, fields, number);
    const auto placed = Place(temporary, *path, overwrite);
    if (!placed.ok()) return placed.status();
    if (*placed) {
      std::move(remove_it).Cancel();
      return path;
    }
  }
  return absl::AlreadyExistsError(
      absl::StrCat(*path,
                   " is there already; overwrite it with --force, or "
                   "number the files with %n"));
}

}  // namespace heapledger::collector::cli
