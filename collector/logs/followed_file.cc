// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/followed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::logs {
namespace {

constexpr std::size_t kReadBytes = 65536;

absl::Status CannotFollow(const std::string& path, std::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot follow ", path, ": ", std::string(why)));
}

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FollowedFile>> FollowedFile::Open(
    const std::string& path, ReadFrom from) {
  // O_NONBLOCK: opening a pipe would wait for its other end.
  const int descriptor =
      open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return CannotFollow(path, ErrnoText(errno));
  struct stat facts = {};
  if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    close(descriptor);
    return CannotFollow(path, "it is no regular file");
  }
  std::unique_ptr<FollowedFile> file(
      new FollowedFile(descriptor, {facts.st_dev, facts.st_ino}));
  if (from == ReadFrom::kEnd) {
    file->offset_ = facts.st_size;
    file->written_ = facts.st_mtim;
    const off_t begin =
        std::max<off_t>(0, facts.st_size - static_cast<off_t>(kTailBytes));
    char bytes[kTailBytes];
    const ssize_t size =
        pread(descriptor, bytes,
              static_cast<std::size_t>(facts.st_size - begin), begin);
    if (size > 0) file->Keep({bytes, static_cast<std::size_t>(size)});
  }
  return file;
}

FollowedFile::~FollowedFile() { close(descriptor_); }

void FollowedFile::PassOn(std::string_view line, const LineSink& sink) {
  ++lines_;
  sink(ParseLine(line));
}

void FollowedFile::Keep(std::string_view bytes) {
  tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes)));
  if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

void FollowedFile::Restart() {
  offset_ = 0;
  tail_.clear();
  splitter_.Drop();
}

bool FollowedFile::TailIsSame() const {
  char bytes[kTailBytes];
  const ssize_t size = pread(descriptor_, bytes, tail_.size(),
                             offset_ - static_cast<off_t>(tail_.size()));
  return size >= 0 &&
         tail_ == std::string_view(bytes, static_cast<std::size_t>(size));
}

std::size_t FollowedFile::Read(std::size_t budget_bytes, const LineSink& sink) {
  struct stat facts = {};
  if (fstat(descriptor_, &facts) != 0) return 0;
  const bool written = facts.st_mtim.tv_sec != written_.tv_sec ||
                       facts.st_mtim.tv_nsec != written_.tv_nsec;
  if (facts.st_size == offset_ && !written) return 0;
  written_ = facts.st_mtim;
  if (facts.st_size < offset_ || !TailIsSame()) Restart();
  std::size_t taken = 0;
  char bytes[kReadBytes];
  while (taken < budget_bytes) {
    // A file system without holes says that all is data.
    const off_t data = lseek(descriptor_, offset_, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data > offset_) {
      splitter_.Drop();
      tail_.clear();
      offset_ = data;
    }
    const ssize_t size = pread(descriptor_, bytes, sizeof bytes, offset_);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    const std::string_view piece(bytes, static_cast<std::size_t>(size));
    taken += piece.size();
    offset_ += size;
    Keep(piece);
    splitter_.Feed(
        piece, [this, &sink](std::string_view line) { PassOn(line, sink); });
  }
  if (taken > 0) last_byte_ = std::chrono::steady_clock::now();
  return taken;
}

void FollowedFile::Finish(const LineSink& sink) {
  splitter_.Finish(
      [this, &sink](std::string_view line) { PassOn(line, sink); });
}

}  // namespace heapledger::collector::logs
