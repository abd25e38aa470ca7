// SPDX-License-Identifier: Apache-2.0
// One action of a rules file: a word, or a word with settings.
//
//   snapshot: {file: /abs/%e-%p-%t.hl, max_bytes: 1GiB}
//   mark
//   trim
//   callbacks
//   signal: {number: USR1, undo: USR2}       # the program must handle them
//   exec: {command: [/abs/path, word], undo: [/abs/path], max_output: 64KiB}
//   memory_high: {at: 90%, soft_limit: no}   # of the cgroup's limit, or bytes
//   reclaim: {amount: 10%, force_empty: no}  # of the cgroup's memory, or bytes
//   oom_score: {score: 500}                  # from 1 to 1000
//   stop: {grace: 10s, kill: no}
//
// and on any of them: name, cool_down, timeout, retries, per_hour.
#pragma once

#include "absl/status/statusor.h"
#include "collector/config/yaml_value.h"
#include "collector/response/action.h"

namespace heapledger::collector::response {

// `level` and `cool_down` are those of the level that the action stands at.
[[nodiscard]] absl::StatusOr<Action> ReadAction(const YamlValue& value,
                                                Level level,
                                                Duration cool_down);

}  // namespace heapledger::collector::response
