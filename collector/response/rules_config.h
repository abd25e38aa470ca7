// SPDX-License-Identifier: Apache-2.0
// Rules of response, from YAML:
//
//   webhook:                        # optional: alerts of Alertmanager
//     instances: ['db1:9797']       # labels that mean us, beside our addresses
//     secret_file: /etc/heapledger/webhook.secret  # each body has to be signed
//     expire: 5h                    # an alert that nobody ends
//     alerts: {DiskFull: none, QueueLong: medium}  # beside those of `rules`
//   rules:                          # the first that fits a program holds
//     - name: databases
//       match: {process: 'postgres*', exe: '/usr/*', cgroup: '/system.slice/*',
//               python: no}
//       levels:                     # of low, medium, high and critical
//         high:
//           usage: 90%              # or {enter: 90%, leave: 80%}, or off
//           stall: 20%
//           dwell: 2s               # entered after 2 s, left after 4 s
//           cool_down: 5m           # between two of the same action
//           do:
//             - snapshot: {file: /var/lib/heapledger/%e-%p-%t.hl}
//             - trim
//             - exec: {command: [/usr/local/bin/shed, high], timeout: 10s}
//
// Conditions are the words of Quantity; without one a level has the usage that
// alerts have (70, 80, 90 and 95 %), without `levels` there are these four, and
// all that happens is that they are told. Actions and what they take are in
// action_config.h.
//
// Anything else in the file is an error.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "collector/response/rules.h"

namespace heapledger::collector::response {

inline constexpr std::size_t kMaxRules = 64;
inline constexpr std::size_t kMaxActionsPerLevel = 16;
inline constexpr std::size_t kMaxAlertNames = 256;

// InvalidArgument names `source`, the line and what is wrong with it.
[[nodiscard]] absl::StatusOr<Rules> ParseRules(const std::string& text,
                                               const std::string& source);

}  // namespace heapledger::collector::response
