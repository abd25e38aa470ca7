// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/baseline_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::baseline {
namespace {

// 64 programs with all their slots are some 30 MB.
constexpr std::size_t kMaxFileBytes = 256 << 20;

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot write baseline ", path, ": ", ErrnoText(error)));
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

}  // namespace

absl::StatusOr<Baseline> ReadBaselineFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const std::string why =
        absl::StrCat("cannot read baseline ", path, ": ", ErrnoText(errno));
    return errno == ENOENT ? absl::NotFoundError(why)
                           : absl::PermissionDeniedError(why);
  }
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t size = read(descriptor, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot read baseline ", path, ": ", ErrnoText(errno)));
    }
    if (size == 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > kMaxFileBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("baseline ", path, " is larger than 256 MiB"));
    }
  }
  return ParseBaseline(text, path);
}

absl::Status WriteBaselineFile(const std::string& path,
                               const Baseline& baseline) {
  const std::string text = BaselineText(baseline);
  std::string temporary = path + ".XXXXXX";
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return CannotWrite(path, errno);
  absl::Cleanup remove_it = [&temporary] { unlink(temporary.c_str()); };
  // Without fsync a crash of the machine can leave the new name on no bytes.
  const bool written = WriteAll(descriptor, text) && fsync(descriptor) == 0;
  const int error = errno;
  close(descriptor);
  if (!written) return CannotWrite(path, error);
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return CannotWrite(path, errno);
  }
  std::move(remove_it).Cancel();
  return absl::OkStatus();
}

}  // namespace heapledger::collector::baseline
