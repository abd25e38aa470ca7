// SPDX-License-Identifier: Apache-2.0
// Follows the CPython interpreters of processes from outside.
//
// What it costs: per interpreter and look three reads of its memory, 350 bytes
// in all. Whether a process has one is asked of its files when it is first
// seen and once a minute from then on, for a few processes in each look.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "collector/python/locate.h"
#include "collector/python/runtime_reader.h"

namespace heapledger::collector::python {

struct Target {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::string process;  // the label
};

// Why an interpreter that is there could not be read.
enum class Refusal { kNone, kPermission, kVersion, kLayout, kNotUp };
// A word for labels.
std::string_view RefusalWord(Refusal refusal);

// A process that has CPython.
struct Sample {
  Target target;
  Refusal refusal = Refusal::kNone;
  std::optional<Runtime> runtime;  // unless refused
};

struct View {
  std::vector<Sample> samples;
};

class Watch {
 public:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] std::shared_ptr<const View> Look(
      std::span<const Target> targets, Clock::time_point now);

 private:
  struct Known {
    std::optional<Location> location;
    PythonVersion version;
    Clock::time_point next_search{};
    bool refused = false;  // to look for it
    bool seen = false;
  };
  using Key = std::pair<std::uint32_t, std::uint64_t>;  // pid, start time
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::uint64_t>()(key.second * 0x9e3779b97f4a7c15 +
                                        key.first);
    }
  };

  static void Search(const Target& target, Known& known);
  static std::optional<Sample> LookAt(const Target& target, Known& known);

  std::unordered_map<Key, Known, KeyHash> known_;
};

}  // namespace heapledger::collector::python
