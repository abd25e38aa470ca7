// SPDX-License-Identifier: Apache-2.0
#include "collector/system/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

absl::Status ReadError(int error, const std::string& path) {
  // ESRCH: the process ended between the opening and the reading.
  if (error == ESRCH) error = ENOENT;
  return absl::ErrnoToStatus(error, absl::StrCat("read ", path));
}

}  // namespace

absl::StatusOr<std::string> ReadSmallFile(const std::string& path,
                                          std::size_t limit) {
  // Not blocking: a fifo in place of the file must not hold the sampler.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return ReadError(errno, path);
  const absl::Cleanup close = [file] { ::close(file); };
  std::string text;
  char buffer[4096];
  while (text.size() < limit) {
    const ssize_t count = ::read(file, buffer, sizeof buffer);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      return ReadError(errno, path);
    }
    text.append(buffer, static_cast<std::size_t>(count));
  }
  if (text.size() > limit) text.resize(limit);
  return text;
}

}  // namespace heapledger::collector
