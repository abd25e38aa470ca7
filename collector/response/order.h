// SPDX-License-Identifier: Apache-2.0
// What the engine asks for and what it hears back: the whole traffic between
// decisions, which are pure, and effects, which are not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "collector/response/action.h"
#include "collector/response/level.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

enum class Step : std::uint8_t { kDo, kUndo };

struct Order {
  std::uint64_t id = 0;
  Step step = Step::kDo;
  Target target;
  std::string rule;
  Action action;
  Level level = Level::kNone;  // the target's, now
  Reading reading;             // its last
  std::string why;             // what brought the level about
  std::string token;           // of an undo: what doing it gave
  std::uint64_t bytes_left = std::numeric_limits<std::uint64_t>::max();
};

// How an attempt ended.
enum class Ending : std::uint8_t {
  kDone,
  kFailed,    // another attempt may do
  kRefused,   // it must not or cannot be done here
  kTimedOut,  // given up half-way
};

struct Outcome {
  Ending ending = Ending::kDone;
  std::string message;  // one sentence, without a full stop
  // Of a temporary action: something was changed, even where it did not end
  // well, and `token` says what it was before.
  bool changed = false;
  std::string token{};
  std::uint64_t bytes = 0;  // written to files
};

// What became of an action in the end; each is counted once, and its undoing
// once more.
enum class Result : std::uint8_t {
  kDone,        // of one that is not meant to reduce memory
  kReduced,     // less memory is used some time after
  kNotReduced,  // it was done and that is not so
  kEnded,       // the program ended before anybody could say
  kFailed,
  kTimedOut,
  kRefused,
  kCapped,  // it was done as often, or wrote as much, as it may
  kDryRun,
  kUndone,  // what it changed is as it was before
  kNotUndone,
};
inline constexpr std::size_t kResults = 11;

[[nodiscard]] constexpr std::string_view ResultWord(Result result) {
  constexpr std::array<std::string_view, kResults> kWords = {
      "done",    "reduced", "not_reduced", "ended",  "failed",    "timed_out",
      "refused", "capped",  "dry_run",     "undone", "not_undone"};
  return kWords[static_cast<std::size_t>(result)];
}

}  // namespace heapledger::collector::response
