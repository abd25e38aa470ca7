// SPDX-License-Identifier: Apache-2.0
#include "collector/response/action.h"

#include <array>

namespace heapledger::collector::response {
namespace {

// By index of the variant.
constexpr std::array<KindFacts, std::variant_size_v<ActionKind>> kKinds = {{
    {"snapshot", Recurrence::kPerEpisode, false},
    {"mark", Recurrence::kPerEpisode, false},
    {"trim", Recurrence::kWhilePressed, true},
    {"callbacks", Recurrence::kPerEntry, true},
    {"signal", Recurrence::kPerEntry, true},
    {"exec", Recurrence::kPerEntry, true},
    {"memory_high", Recurrence::kPerEntry, true},
    {"reclaim", Recurrence::kWhilePressed, true},
    {"oom_score", Recurrence::kPerEntry, false},
    {"stop", Recurrence::kPerEpisode, false},
}};

}  // namespace

const KindFacts& FactsOf(const ActionKind& kind) {
  return kKinds[kind.index()];
}

bool IsTemporary(const ActionKind& kind) {
  if (const auto* signal = std::get_if<SignalAction>(&kind)) {
    return signal->undo != 0;
  }
  if (const auto* exec = std::get_if<ExecAction>(&kind)) {
    return !exec->undo.empty();
  }
  return std::holds_alternative<CallbacksAction>(kind) ||
         std::holds_alternative<MemoryHighAction>(kind) ||
         std::holds_alternative<OomScoreAction>(kind);
}

bool OutlivesTarget(const ActionKind& kind) {
  return std::holds_alternative<MemoryHighAction>(kind) ||
         std::holds_alternative<OomScoreAction>(kind) ||
         std::holds_alternative<ExecAction>(kind);
}

}  // namespace heapledger::collector::response
