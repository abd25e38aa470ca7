// SPDX-License-Identifier: Apache-2.0
// Bytes as they come -> lines, in bounded memory. A line may come in pieces; of
// one that is too long the beginning counts, which is where a log says what it
// is about, and the rest is passed over. NUL bytes before a line are none of
// it: a file that was truncated under its writer begins with a hole.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace heapledger::collector::logs {

class LineSplitter {
 public:
  static constexpr std::size_t kDefaultMaxBytes = 16384;

  explicit LineSplitter(std::size_t max_bytes = kDefaultMaxBytes)
      : max_bytes_(max_bytes) {}

  // Calls `take(std::string_view)` for each line that `bytes` ends, without its
  // end ("\n", "\r\n"). Empty lines are left out.
  template <typename Take>
  void Feed(std::string_view bytes, Take&& take) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      Keep(bytes.substr(0, end));
      if (end == std::string_view::npos) return;
      Finish(take);
      bytes.remove_prefix(end + 1);
    }
  }

  // The source has ended or begins anew: what is there is a line.
  template <typename Take>
  void Finish(Take&& take) {
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (cut_) ++cut_lines_;
    if (!line.empty()) take(line);
    Drop();
  }

  // Forgets the piece of a line that is there.
  void Drop() {
    line_.clear();
    cut_ = false;
  }

  [[nodiscard]] std::uint64_t cut_lines() const { return cut_lines_; }

 private:
  void Keep(std::string_view piece) {
    if (line_.empty()) {
      const std::size_t begin = piece.find_first_not_of('\0');
      if (begin == std::string_view::npos) return;
      piece.remove_prefix(begin);
    }
    const std::size_t room = max_bytes_ - line_.size();
    if (piece.size() > room) cut_ = true;
    line_.append(piece.substr(0, room));
  }

  const std::size_t max_bytes_;
  std::string line_;
  bool cut_ = false;
  std::uint64_t cut_lines_ = 0;
};

}  // namespace heapledger::collector::logs
