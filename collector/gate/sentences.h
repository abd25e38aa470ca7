// SPDX-License-Identifier: Apache-2.0
// What the gate has to say, in words that are the same in every file it writes.
// No sentence has a full stop; all is one line of valid UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "collector/gate/judge.h"

namespace heapledger::collector::gate {

// "96 B in 3 blocks"
[[nodiscard]] std::string AmountText(const Amount& amount);

// The verdict and why: "leak: 96 B in 3 blocks lost at 2 new callsites; …"
[[nodiscard]] std::string VerdictSentence(const Judgement& judgement);

// "96 B in 3 blocks lost by parse_header() at http.c:42 (64 B direct, 32 B
// indirect)"
[[nodiscard]] std::string FindingSentence(const JudgedFinding& judged);

// Why it is in its state: "suppressed by file:3: leak:x (reason)"; empty for
// what is merely new.
[[nodiscard]] std::string StateSentence(const Judgement& judgement,
                                        const JudgedFinding& judged);

// "--max-peak 1,048,576 B: 2,000,000 B"
[[nodiscard]] std::string BudgetSentence(const Budget& budget);

// "helper (pid 12): it is linked statically"
[[nodiscard]] std::string MissingSentence(const MissingImage& missing);

// What to do about a callsite: a rule to paste.
[[nodiscard]] std::string SuppressionToPaste(const JudgedFinding& judged);

// "suppressions x.supp:3: leak:foo expired on 2026-01-31"
[[nodiscard]] std::string ExpiredSentence(const SuppressionRule& rule);
[[nodiscard]] std::string UnusedSentence(const SuppressionRule& rule);

// One line a frame, innermost first: "parse_header() http.c:42".
[[nodiscard]] std::string FrameText(const StackFunction& frame);

// Whether it makes the gate fail.
[[nodiscard]] bool Fails(const Judgement& judgement,
                         const JudgedFinding& judged);

}  // namespace heapledger::collector::gate
