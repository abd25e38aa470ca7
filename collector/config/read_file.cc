// SPDX-License-Identifier: Apache-2.0
#include "collector/config/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

absl::Status Unreadable(const std::string& path, int error) {
  const std::string why =
      absl::StrCat("read ", path, ": ", std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(why)
                         : absl::InvalidArgumentError(why);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

}  // namespace

absl::StatusOr<std::string> ReadConfigFile(const std::string& path) {
  // Nonblocking, or a FIFO of that name would hold us.
  const Descriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts = {};
  if (file.get() < 0 || ::fstat(file.get(), &facts) != 0) {
    return Unreadable(path, errno);
  }
  if (!S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", path, ": it is no regular file"));
  }
  std::string text;
  char piece[16384];
  for (;;) {
    const ssize_t size = ::read(file.get(), piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Unreadable(path, errno);
    if (size == 0) return text;
    text.append(piece, static_cast<std::size_t>(size));
    if (text.size() > kMaxConfigBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("read ", path, ": it is larger than 1 MiB"));
    }
  }
}

std::string FileStamp(const std::string& path) {
  struct stat facts = {};
  if (path.empty() || ::stat(path.c_str(), &facts) != 0) return "";
  return absl::StrCat(facts.st_dev, ":", facts.st_ino, ":", facts.st_size, ":",
                      facts.st_mtim.tv_sec, ".", facts.st_mtim.tv_nsec, ":",
                      facts.st_ctim.tv_sec, ".", facts.st_ctim.tv_nsec);
}

}  // namespace heapledger::collector
