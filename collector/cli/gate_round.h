// SPDX-License-Identifier: Apache-2.0
// Runs the gate's command once, in a ledger directory of its own, and makes a
// round of what its processes left.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/cli/child.h"
#include "collector/cli/run_directory.h"
#include "collector/gate/round.h"
#include "collector/gate/round_maker.h"
#include "collector/ledger/naming.h"
#include "collector/tags/tag_rules.h"

namespace heapledger::collector::cli {

struct RoundPlan {
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  // see ShimEnvironment
  gate::Callsites callsites = gate::Callsites::kUnreachable;
  // For processes that outlive the command.
  int wait_ms = 2000;
  std::shared_ptr<const TagRules> tag_rules;  // may be null
};

struct RoundOutcome {
  ChildResult child;
  gate::Round round;  // nothing if child.start_error
};

// REQUIRES: no ledger in `directory`. Leaves those of the round there, unless
// there were so many that they had to make room.
RoundOutcome RunRound(const RoundPlan& plan, const RunDirectory& directory,
                      FrameNames& names);

}  // namespace heapledger::collector::cli
