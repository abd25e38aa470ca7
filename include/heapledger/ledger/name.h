// SPDX-License-Identifier: Apache-2.0
// Names in the ledger directory, for the writer and the reader alike:
//   <pid>-<starttime>.ledger       the process' current image
//   <pid>-<starttime>.<n>.ledger   its n-th image, replaced by exec
//   <pid>-<starttime>.off          not measured: a symbolic link to nowhere,
//                                  named by the number of the OffReason
// The directory is $HEAPLEDGER_DIR, else kPrimaryDirectory<uid>, else
// kFallbackDirectory<uid>; mode 0700, files 0600.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::ledger {

inline constexpr char kPrimaryDirectory[] = "/dev/shm/heapledger-";
inline constexpr char kFallbackDirectory[] = "/var/tmp/heapledger-";
inline constexpr char kLedgerSuffix[] = ".ledger";
inline constexpr char kOffSuffix[] = ".off";
inline constexpr std::size_t kNameBytes = 80;

// Appends to a caller's buffer and keeps it terminated; what does not fit is
// dropped and `overflowed` set. Async-signal-safe.
class NameBuilder {
 public:
  constexpr NameBuilder(char* buffer, std::size_t capacity)
      : buffer_(buffer), capacity_(capacity) {
    if (capacity_ > 0) buffer_[0] = '\0';
  }

  constexpr NameBuilder& Text(const char* text) {
    for (; *text != '\0'; ++text) Char(*text);
    return *this;
  }

  constexpr NameBuilder& Number(std::uint64_t value) {
    char digits[20] = {};
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (count > 0) Char(digits[--count]);
    return *this;
  }

  [[nodiscard]] constexpr bool overflowed() const { return overflowed_; }
  [[nodiscard]] constexpr std::size_t size() const { return size_; }

 private:
  constexpr void Char(char c) {
    if (size_ + 1 >= capacity_) {
      overflowed_ = true;
      return;
    }
    buffer_[size_++] = c;
    buffer_[size_] = '\0';
  }

  char* buffer_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

}  // namespace heapledger::ledger
