// SPDX-License-Identifier: Apache-2.0
// Carries out orders: the only place where the response touches anything. An
// order is for one very process; if that has ended, nothing is hit.
//
// Thread safety: any thread, several at once.
#pragma once

#include <string>
#include <vector>

#include "collector/response/order.h"
#include "collector/response/target_control.h"

namespace heapledger::collector::response {

class ActionRunner {
 public:
  // `control` must outlive this object.
  explicit ActionRunner(TargetControl* control) : control_(control) {}

  // Takes no longer than the order's time-out allows, but for the kernel's own
  // time in memory.force_empty.
  [[nodiscard]] Outcome Run(const Order& order) const;

 private:
  TargetControl* const control_;
};

// What a hook is told of an order, as NAME=value:
//   HEAPLEDGER_EVENT          do or undo
//   HEAPLEDGER_PID, _PROCESS, _EXE, _CGROUP, _RULE, _ACTION
//   HEAPLEDGER_LEVEL          the program's now; none on the way down
//   HEAPLEDGER_ACTION_LEVEL   at which the action stands
//   HEAPLEDGER_WHY            a sentence
//   HEAPLEDGER_USED_BYTES, _LIMIT_BYTES, _LIVE_BYTES    empty where not known
// and PATH, which is a fixed one.
[[nodiscard]] std::vector<std::string> HookEnvironment(const Order& order);

}  // namespace heapledger::collector::response
