// SPDX-License-Identifier: Apache-2.0
// One thing that `doctor` looked at: what it is, how it stands, what to do.
#pragma once

#include <string>
#include <vector>

namespace heapledger::collector::cli {

enum class Verdict { kGood, kNote, kBad };

struct Check {
  std::string name;
  Verdict verdict = Verdict::kGood;
  std::string text;
  std::string remedy;  // empty where there is nothing to do
};

using Checks = std::vector<Check>;

}  // namespace heapledger::collector::cli
