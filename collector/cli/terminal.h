// SPDX-License-Identifier: Apache-2.0
// A terminal as a screen: keys as they are pressed, the other screen buffer,
// and all as it was before on every way out that a program can see.
//
// Thread safety: one thread; one Terminal at a time, as it takes over SIGTERM,
// SIGHUP and SIGWINCH.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace heapledger::collector::cli {

struct Key {
  enum class Kind { kCharacter, kUp, kDown, kPageUp, kPageDown, kEscape, kEnd };
  Kind kind = Kind::kCharacter;
  char character = 0;  // of kCharacter; Ctrl-C is '\x03', as it is no signal

  friend bool operator==(const Key&, const Key&) = default;
};

// The key that `bytes`, as a terminal sends them, begin with, and how many of
// them it takes; 0 bytes where they are no key that anybody waits for.
[[nodiscard]] std::pair<Key, std::size_t> ParseKey(std::string_view bytes);

class Terminal {
 public:
  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };

  // FailedPrecondition where standard input or output is no terminal.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Terminal>> Open();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] Size size() const;
  // The next key, or none within `timeout` or when the size changed. kEnd where
  // the terminal is gone or a signal asked to leave.
  [[nodiscard]] std::optional<Key> ReadKey(std::chrono::milliseconds timeout);
  // Lines, of which none may be longer than the screen is wide.
  void Show(std::string_view lines);

 private:
  struct Saved;
  explicit Terminal(std::unique_ptr<Saved> saved);

  std::unique_ptr<Saved> saved_;
  std::string pending_;  // bytes read and not yet a key
};

}  // namespace heapledger::collector::cli
