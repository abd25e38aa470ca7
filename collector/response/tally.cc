// SPDX-License-Identifier: Apache-2.0
#include "collector/response/tally.h"

#include <algorithm>

namespace heapledger::collector::response {
namespace {

constexpr double kShare = 0.05;

}  // namespace

void Tally::Count(const ActionLabel& label, Result result) {
  ActionLabel counted = label;
  if (counts_.size() >= kMaxLabels && !counts_.contains({label, result})) {
    counted.process = "_other";
  }
  ++counts_[{counted, result}];
}

void Tally::Measure(const ActionLabel& label, TargetKey target,
                    const Reading& before, Time now) {
  pending_.push_back({label, target, before, now + kMeasureAfter});
}

Tally::Measured Tally::Compare(const Pending& pending, const Reading* now) {
  Measured measured{pending.label, pending.target, Result::kEnded, 0};
  if (now != nullptr) {
    const Reading& before = pending.before;
    const std::uint64_t less = before.used_bytes > now->used_bytes
                                   ? before.used_bytes - now->used_bytes
                                   : 0;
    std::uint64_t whole = before.used_bytes;
    if (before.limit_bytes != 0) {
      whole = std::min(whole, before.limit_bytes);
    }
    bool reduced = less > 0 && static_cast<double>(less) >=
                                   kShare * static_cast<double>(whole);
    if (before.live_bytes && now->live_bytes &&
        *before.live_bytes > *now->live_bytes) {
      reduced |= static_cast<double>(*before.live_bytes - *now->live_bytes) >=
                 kShare * static_cast<double>(*before.live_bytes);
    }
    measured.result = reduced ? Result::kReduced : Result::kNotReduced;
    measured.bytes = less;
  }
  Count(measured.label, measured.result);
  if (measured.result == Result::kReduced &&
      (reduced_.size() < kMaxLabels ||
       reduced_.contains({measured.label.process, measured.label.action}))) {
    reduced_[{measured.label.process, measured.label.action}] += measured.bytes;
  }
  return measured;
}

std::vector<ActionCount> Tally::counts() const {
  std::vector<ActionCount> counts;
  for (const auto& [key, count] : counts_) {
    counts.push_back({key.first, key.second, count});
  }
  return counts;
}

std::vector<ReducedBytes> Tally::reduced() const {
  std::vector<ReducedBytes> reduced;
  for (const auto& [key, bytes] : reduced_) {
    reduced.push_back({key.first, key.second, bytes});
  }
  return reduced;
}

}  // namespace heapledger::collector::response
