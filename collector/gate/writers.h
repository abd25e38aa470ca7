// SPDX-License-Identifier: Apache-2.0
// A judgement in the formats of those who collect them. Every text ends with a
// line's end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "collector/gate/judge.h"

namespace heapledger::collector::gate {

// What a file says besides the judgement.
struct GateFacts {
  std::string program;  // the command's last part; its arguments may be secret
  std::string version;
  std::string source_root;  // absolute; files below it are named from there
  std::string baseline;     // file, empty for none
  std::uint64_t ended_realtime_ns = 0;
  double seconds = 0;  // that all rounds took
};

// A suite with a case per finding, per budget, per process not measured; one
// for the program itself.
[[nodiscard]] std::string JunitText(const Judgement& judgement,
                                    const GateFacts& facts);

// SARIF 2.1.0: a result per finding, with the stack as a code flow.
[[nodiscard]] std::string SarifText(const Judgement& judgement,
                                    const GateFacts& facts);

// GitHub's workflow commands: `::error file=…,line=…,title=…::…`, at most ten
// of a kind, as GitHub shows no more of a step.
[[nodiscard]] std::string GithubCommands(const Judgement& judgement,
                                         const GateFacts& facts);

// GitLab's code quality report.
[[nodiscard]] std::string GitlabText(const Judgement& judgement,
                                     const GateFacts& facts);

// Our own, with all there is.
[[nodiscard]] std::string JsonText(const Judgement& judgement,
                                   const GateFacts& facts);

// For a comment or a step summary.
[[nodiscard]] std::string MarkdownText(const Judgement& judgement,
                                       const GateFacts& facts);

// For the terminal: all but the verdict's line.
[[nodiscard]] std::string PlainText(const Judgement& judgement,
                                    const GateFacts& facts);

}  // namespace heapledger::collector::gate
