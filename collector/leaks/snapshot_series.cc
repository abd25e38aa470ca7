// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/snapshot_series.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/leaks/trend.h"
#include "collector/ledger/growth.h"

namespace heapledger::collector {
namespace {

// The last rise over the mean of those before: less is a curve that flattens.
constexpr double kLastRiseShare = 0.5;

using Accounts = std::unordered_map<std::uint64_t, HeapCounters>;

absl::Status CheckOrder(const std::vector<HeapMoment>& moments) {
  if (moments.size() < kMinimumMoments) {
    return absl::InvalidArgumentError(
        absl::StrCat("growth cannot be told from ", moments.size(),
                     " snapshots; give three or more, or a running program"));
  }
  for (std::size_t i = 1; i < moments.size(); ++i) {
    if (moments[i].snapshot->taken_realtime_ns <=
        moments[i - 1].snapshot->taken_realtime_ns) {
      return absl::InvalidArgumentError(
          absl::StrCat("snapshot ", i + 1, " of ", moments.size(),
                       " was not taken after the one before it; give them in "
                       "the order of their times"));
    }
  }
  return absl::OkStatus();
}

Accounts AccountsOf(const HeapMoment& moment) {
  ProcessAccount account({.top_limit = 0, .history_limit = 0}, moment.names);
  (void)account.Update(moment.snapshot);
  Accounts accounts;
  for (const CallsiteAccount& callsite : account.accounts()) {
    accounts[callsite.fingerprint.value()] = callsite.counters;
  }
  return accounts;
}

bool OfOneProcess(const std::vector<HeapMoment>& moments) {
  return std::ranges::all_of(moments, [&](const HeapMoment& moment) {
    return moment.snapshot->identity.Key() ==
           moments.front().snapshot->identity.Key();
  });
}

std::uint64_t Between(const HeapMoment& a, const HeapMoment& b) {
  return b.snapshot->taken_realtime_ns - a.snapshot->taken_realtime_ns;
}

GrowthEvidence EvidenceOf(const std::vector<Sample>& samples,
                          const std::vector<HeapCounters>& counters) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.value);
  GrowthEvidence growth;
  growth.basis = GrowthBasis::kMoments;
  growth.window_ns = samples.back().time_ns - samples.front().time_ns;
  growth.rounds = samples.size() - 1;
  growth.rounds_rose = Rises(values);
  growth.score = MannKendallScore(values);
  growth.floor_bytes = counters.back().live_bytes();
  growth.rise_bytes =
      counters.back().live_bytes() -
      std::min(counters.front().live_bytes(), counters.back().live_bytes());
  growth.rise_objects =
      counters.back().live_objects() -
      std::min(counters.front().live_objects(), counters.back().live_objects());
  const double seconds = static_cast<double>(growth.window_ns) / 1e9;
  growth.bytes_per_second = TheilSenSlope(samples).value_or(
      static_cast<double>(growth.rise_bytes) / seconds);
  growth.objects_per_second =
      static_cast<double>(growth.rise_objects) / seconds;
  return growth;
}

bool RoseThroughout(const GrowthEvidence& growth,
                    const std::vector<Sample>& samples) {
  if (growth.rounds_rose < growth.rounds) return false;
  const double last = samples.back().value - samples[samples.size() - 2].value;
  const double before =
      samples[samples.size() - 2].value - samples.front().value;
  const auto last_ns = static_cast<double>(samples.back().time_ns -
                                           samples[samples.size() - 2].time_ns);
  const auto before_ns = static_cast<double>(
      samples[samples.size() - 2].time_ns - samples.front().time_ns);
  return last / last_ns >= kLastRiseShare * before / before_ns;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ProcessLeakView>> SuspectsBetween(
    const std::vector<HeapMoment>& moments, const LeakOptions& options) {
  if (absl::Status ok = CheckOrder(moments); !ok.ok()) return ok;
  std::vector<Accounts> past;
  for (std::size_t i = 0; i + 1 < moments.size(); ++i) {
    past.push_back(AccountsOf(moments[i]));
  }
  const HeapMoment& last = moments.back();
  const LedgerSnapshot& snapshot = *last.snapshot;
  const bool one_process = OfOneProcess(moments);
  const std::size_t middle = moments.size() / 2;
  auto view = std::make_shared<ProcessLeakView>();
  ProcessAccount account({.top_limit = 0, .history_limit = 0}, last.names);
  (void)account.Update(last.snapshot);
  for (std::size_t group = 0; group < account.accounts().size(); ++group) {
    const CallsiteAccount& now = account.accounts()[group];
    std::vector<HeapCounters> counters;
    for (Accounts& accounts : past) {
      counters.push_back(accounts[now.fingerprint.value()]);
    }
    counters.push_back(now.counters);
    std::vector<Sample> samples;
    for (std::size_t i = 0; i < moments.size(); ++i) {
      samples.push_back({Between(moments.front(), moments[i]),
                         static_cast<double>(counters[i].live_bytes())});
    }
    const GrowthEvidence growth = EvidenceOf(samples, counters);
    if (growth.rise_bytes < options.growth.minimum_rise_bytes ||
        !RoseThroughout(growth, samples)) {
      continue;
    }
    Suspect& suspect = view->suspects.emplace_back();
    suspect.callsite = account.ViewOf(group, snapshot);
    suspect.state =
        StateOf(options.rules, snapshot,
                snapshot.tables->callsites[suspect.callsite.callsites.front()],
                now.fingerprint, *last.names);
    suspect.growth = growth;
    if (one_process) {
      suspect.age =
          AgeBetween(counters.front(), counters[middle], counters.back(),
                     growth.window_ns, Between(moments[middle], last));
    }
    suspect.named_monotonic_ns = snapshot.taken_monotonic_ns;
  }
  SortSuspects(view->suspects);
  view->watched = account.accounts().size();
  view->looked_ns = Between(moments.front(), last);
  view->snapshot = last.snapshot;
  return view;
}

}  // namespace heapledger::collector
