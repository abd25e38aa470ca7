// SPDX-License-Identifier: Apache-2.0
#include "preload/config.h"

#include "preload/raw_io.h"

extern "C" char** environ;

namespace heapledger::preload {
namespace {

bool StartsWith(const char* text, const char* prefix, const char** rest) {
  for (; *prefix != '\0'; ++prefix, ++text) {
    if (*text != *prefix) return false;
  }
  *rest = text;
  return true;
}

bool Same(const char* a, const char* b) {
  const char* rest;
  return StartsWith(a, b, &rest) && *rest == '\0';
}

// Whether `word` is among words with commas.
bool Lists(const char* words, const char* word) {
  while (*words != '\0') {
    const char* rest;
    if (StartsWith(words, word, &rest) && (*rest == ',' || *rest == '\0')) {
      return true;
    }
    while (*words != '\0' && *words != ',') ++words;
    if (*words == ',') ++words;
  }
  return false;
}

// Leaves `out` empty when the text does not fit.
void Copy(const char* text, char* out, std::size_t capacity) {
  std::size_t i = 0;
  for (; text[i] != '\0'; ++i) {
    if (i + 1 >= capacity) {
      out[0] = '\0';
      return;
    }
    out[i] = text[i];
  }
  out[i] = '\0';
}

// A decimal number within [low, high], else `otherwise`.
std::uint64_t Number(const char* text, std::uint64_t low, std::uint64_t high,
                     std::uint64_t otherwise) {
  std::uint64_t value = 0;
  if (*text == '\0') return otherwise;
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9' || value > high) return otherwise;
    value = value * 10 + static_cast<std::uint64_t>(*text - '0');
  }
  return value < low || value > high ? otherwise : value;
}

void Apply(Config& config, const char* setting) {
  const char* value;
  if (!StartsWith(setting, "HEAPLEDGER_", &setting)) return;
  if (StartsWith(setting, "DISABLE=", &value)) {
    config.disabled = *value != '\0' && !Same(value, "0");
  } else if (StartsWith(setting, "SCAN=", &value)) {
    config.scan_at_exit = Same(value, "exit");
  } else if (StartsWith(setting, "DIR=", &value)) {
    // A relative directory would move with the program's working directory.
    if (*value == '/') Copy(value, config.directory, sizeof config.directory);
  } else if (StartsWith(setting, "MODE=", &value)) {
    if (Same(value, "sampled")) config.mode = ledger::Mode::kSampled;
    if (Same(value, "dormant")) config.mode = ledger::Mode::kDormant;
  } else if (StartsWith(setting, "SAMPLE_BYTES=", &value)) {
    config.sample_bytes = static_cast<std::uint32_t>(
        Number(value, 1, Config::kMaxSampleBytes, 0));
  } else if (StartsWith(setting, "BUDGET=", &value)) {
    config.budget_percent = static_cast<std::uint32_t>(
        Number(value, 1, 100, config.budget_percent));
  } else if (StartsWith(setting, "STACK=", &value)) {
    if (Same(value, "adaptive")) {
      config.stack_mode = ledger::StackMode::kAdaptive;
    }
    if (Same(value, "caller")) config.stack_mode = ledger::StackMode::kCaller;
    if (Same(value, "frame-pointer")) {
      config.stack_mode = ledger::StackMode::kFramePointer;
    }
  } else if (StartsWith(setting, "MAX_DEPTH=", &value)) {
    config.max_depth = static_cast<std::uint32_t>(
        Number(value, 1, ledger::kMaxStackDepth, config.max_depth));
  } else if (StartsWith(setting, "LEDGER_BYTES=", &value)) {
    config.cap_bytes = Number(value, ledger::kMinimumCapBytes,
                              ledger::kMaximumCapBytes, config.cap_bytes);
  } else if (StartsWith(setting, "FOLLOW=", &value)) {
    Copy(value, config.follow, sizeof config.follow);
  } else if (StartsWith(setting, "PYTHON=", &value)) {
    config.python_frames = Lists(value, "frames");
    config.python_metrics = Lists(value, "metrics");
  } else if (StartsWith(setting, "PYTHON_REFRESH_MS=", &value)) {
    config.python_refresh_ms =
        static_cast<std::uint32_t>(Number(value, 1, 3'600'000, 0));
  } else if (StartsWith(setting, "PYTHON_CENSUS_MS=", &value)) {
    config.python_census_ms =
        static_cast<std::uint32_t>(Number(value, 1, 86'400'000, 0));
  } else if (StartsWith(setting, "ROOT_PID=", &value)) {
    config.root_pid =
        static_cast<std::uint32_t>(Number(value, 1, 0x7fffffff, 0));
  }
}

// For the calls that come before libc has set `environ`: an IFUNC resolver that
// allocates. Settings beyond the buffer are not seen.
void ReadFromProc(Config& config) {
  static char buffer[32768];
  const long got = raw::ReadFile("/proc/self/environ", buffer, sizeof buffer);
  for (long at = 0; at < got;) {
    Apply(config, buffer + at);
    while (at < got && buffer[at] != '\0') ++at;
    ++at;
  }
}

}  // namespace

void Config::ReadEnvironment() {
  if (environ == nullptr) {
    ReadFromProc(*this);
    return;
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    Apply(*this, *entry);
  }
}

std::uint32_t Config::SampleMean() const {
  switch (mode) {
    case ledger::Mode::kExact:
      return 0;
    case ledger::Mode::kSampled:
      return sample_bytes != 0 ? sample_bytes : kDefaultSampleBytes;
    case ledger::Mode::kDormant:
      return sample_bytes;
  }
  return 0;
}

bool Config::Follows(std::uint32_t pid, const char* comm) const {
  if (follow[0] == '\0' || Same(follow, "all")) return true;
  if (pid == root_pid) return true;
  return !Same(follow, "none") && Lists(follow, comm);
}

}  // namespace heapledger::preload
