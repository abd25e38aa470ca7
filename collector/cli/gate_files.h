// SPDX-License-Identifier: Apache-2.0
// The files that a gate reads and writes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/gate/baseline.h"
#include "collector/gate/judge.h"
#include "collector/gate/suppressions.h"
#include "collector/gate/writers.h"

namespace heapledger::collector::cli {

struct ReportFiles {
  std::string junit;
  std::string sarif;
  std::string gitlab;
  std::string json;
  std::string markdown;
  bool github = false;
};

// The message names the file, what is wrong with it and what to do.
[[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path);

// A regular file whole or not at all: written beside it and renamed.
[[nodiscard]] absl::Status WriteFile(const std::string& path,
                                     const std::string& text);

// Rules of these files, and of the one that LSAN_OPTIONS names: where it lies,
// or beside `program`, as LeakSanitizer would find it.
[[nodiscard]] absl::StatusOr<gate::Suppressions> ReadSuppressions(
    const std::vector<std::string>& files, const std::string& program);

// What a file that does not exist is.
enum class Absence { kFault, kEmpty };
[[nodiscard]] absl::StatusOr<gate::Baseline> ReadBaseline(
    const std::string& path, Absence absence);

// Whether all files can be written, as it should be known before a long run.
[[nodiscard]] absl::Status CheckWritable(const ReportFiles& files);

// `%p` of a name becomes the command's pid, `%e` its program, `%t` the time,
// `%%` a percent sign.
struct NameFacts {
  int pid = 0;
  std::string program;
  std::uint64_t realtime_ns = 0;
};
[[nodiscard]] std::string ExpandName(const std::string& name,
                                     const NameFacts& facts);

// Writes what is asked for; GitHub's commands go to stdout, its summary where
// GITHUB_STEP_SUMMARY says.
[[nodiscard]] absl::Status WriteReports(const ReportFiles& files,
                                        const NameFacts& names,
                                        const gate::Judgement& judgement,
                                        const gate::GateFacts& facts);

}  // namespace heapledger::collector::cli
