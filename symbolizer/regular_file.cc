// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/regular_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/status/status.h"

namespace heapledger::symbolizer {
namespace {

// NONBLOCK: opening a pipe must not wait for its other end.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

constexpr std::size_t kReadBytes = std::size_t{1} << 16;

// Returns a descriptor, or -1 with errno set. Absolute symbolic links below
// `root` lead to places below `root`, as they do for the target; a kernel
// without openat2 (before 5.6) follows them on the host instead, where the
// build id still has to match.
int OpenBelow(const std::string& root, const std::string& path) {
  if (root.empty()) return open(path.c_str(), kOpenFlags);
  const int directory = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -1;
  open_how how{};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  int descriptor = static_cast<int>(
      syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
  // EPERM: a seccomp filter older than the system call.
  if (descriptor < 0 && (errno == ENOSYS || errno == EPERM)) {
    descriptor = open((root + path).c_str(), kOpenFlags);
  }
  const int error = errno;
  close(directory);
  errno = error;
  return descriptor;
}

// Like pread, without short counts before the end and without EINTR.
ssize_t ReadBytes(int descriptor, char* buffer, std::size_t size,
                  std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = pread(descriptor, buffer + done, size - done,
                            static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

std::string IdentityOf(const struct stat& status) {
  return std::to_string(status.st_size) + " " +
         std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

}  // namespace

absl::StatusOr<RegularFile> RegularFile::Open(std::string_view root,
                                              std::string_view path) {
  const std::string name = std::string(root).append(path);
  // The kernel would stop at an embedded NUL and open something else.
  if (!path.starts_with('/') || path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("open " + name + ": not a path");
  }
  const int descriptor = OpenBelow(std::string(root), std::string(path));
  if (descriptor < 0) return absl::ErrnoToStatus(errno, "open " + name);
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return absl::NotFoundError("open " + name + ": not a regular file");
  }
  RegularFile file(descriptor);
  file.size_ = static_cast<std::uint64_t>(status.st_size);
  file.owner_ = status.st_uid;
  file.identity_ = IdentityOf(status);
  return file;
}

RegularFile& RegularFile::operator=(RegularFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(owner_, other.owner_);
  std::swap(identity_, other.identity_);
  return *this;
}

RegularFile::~RegularFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status RegularFile::ReadAt(std::uint64_t offset,
                                 std::span<char> out) const {
  const ssize_t n = ReadBytes(descriptor_, out.data(), out.size(), offset);
  if (n < 0) return absl::ErrnoToStatus(errno, "read");
  if (static_cast<std::size_t>(n) == out.size()) return absl::OkStatus();
  return absl::DataLossError("read: the file ends before its own parts do");
}

absl::StatusOr<std::string> RegularFile::Read(std::size_t max_bytes) const {
  std::string text;
  while (text.size() < max_bytes) {
    const std::size_t before = text.size();
    const std::size_t want = std::min(kReadBytes, max_bytes - before);
    text.resize(before + want);
    const ssize_t n =
        ReadBytes(descriptor_, text.data() + before, want, before);
    if (n < 0) return absl::ErrnoToStatus(errno, "read");
    text.resize(before + static_cast<std::size_t>(n));
    if (static_cast<std::size_t>(n) < want) break;
  }
  return text;
}

absl::StatusOr<std::uint32_t> RegularFile::Crc32() const {
  std::array<char, kReadBytes> buffer;
  uLong crc = crc32(0, nullptr, 0);
  // Up to the size at opening: a file that grows meanwhile is no debug file.
  for (std::uint64_t offset = 0; offset < size_; offset += kReadBytes) {
    const ssize_t n =
        ReadBytes(descriptor_, buffer.data(), buffer.size(), offset);
    if (n < 0) return absl::ErrnoToStatus(errno, "read");
    crc = crc32(crc, reinterpret_cast<const Bytef*>(buffer.data()),
                static_cast<uInt>(n));
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace heapledger::symbolizer
