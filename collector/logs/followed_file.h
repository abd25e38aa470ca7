// SPDX-License-Identifier: Apache-2.0
// One open log file and the place in it up to which lines were passed on.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collector/logs/line_splitter.h"
#include "collector/logs/log_source.h"

namespace heapledger::collector::logs {

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

class FollowedFile {
 public:
  // Refuses what is no regular file.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<FollowedFile>> Open(
      const std::string& path, ReadFrom from);
  ~FollowedFile();
  FollowedFile(const FollowedFile&) = delete;
  FollowedFile& operator=(const FollowedFile&) = delete;

  [[nodiscard]] FileId id() const { return id_; }

  // Passes on up to about `budget_bytes`; returns how many were read.
  std::size_t Read(std::size_t budget_bytes, const LineSink& sink);
  // There will be no more: what has no end yet is a line.
  void Finish(const LineSink& sink);

  // Since the last byte came.
  [[nodiscard]] std::chrono::nanoseconds idle() const {
    return std::chrono::steady_clock::now() - last_byte_;
  }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }
  [[nodiscard]] std::uint64_t cut_lines() const {
    return splitter_.cut_lines();
  }

 private:
  // Enough that two logs do not agree in them by chance.
  static constexpr std::size_t kTailBytes = 64;

  FollowedFile(int descriptor, FileId id) : descriptor_(descriptor), id_(id) {}

  void PassOn(std::string_view line, const LineSink& sink);
  void Keep(std::string_view bytes);
  void Restart();
  // Whether the bytes before our place are still those that we read.
  bool TailIsSame() const;

  const int descriptor_;
  const FileId id_;
  off_t offset_ = 0;
  std::string tail_;  // the last bytes before offset_
  // A file may be written anew and be as long as it was.
  timespec written_ = {};
  LineSplitter splitter_;
  std::uint64_t lines_ = 0;
  std::chrono::steady_clock::time_point last_byte_ =
      std::chrono::steady_clock::now();
};

}  // namespace heapledger::collector::logs
