// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/baseline_record.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/output.h"
#include "collector/cli/process_quantities.h"
#include "collector/ledger/process_account.h"
#include "collector/profile/resolver.h"
#include "collector/shm/ledger_reader.h"
#include "collector/system/system_sampler.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// A suspect is named after some dozens of floors of eight samples each, so the
// ledger is looked at far more often than it is sampled.
constexpr nanoseconds kLongestTick = std::chrono::seconds(1);
constexpr int kTicksPerLook = 400;
constexpr int kBucketsPerLook = 52;

volatile std::sig_atomic_t g_interrupted = 0;

// A ledger under watch for growth while its process is sampled.
class Watched {
 public:
  Watched(std::unique_ptr<LedgerReader> reader, nanoseconds duration)
      : reader_(std::move(reader)),
        names_(MakeResolver()),
        account_({.top_limit = 0, .history_limit = 0}, names_.get()),
        options_(OptionsFor(duration)),
        leaks_(options_) {}

  // False where the ledger can be read no more.
  bool Look() {
    auto snapshot = reader_->Take();
    if (!snapshot.ok()) return false;
    last_ = std::make_shared<const LedgerSnapshot>(*std::move(snapshot));
    (void)account_.Update(last_);
    growth_ = GrowthOf(*leaks_.Update(account_, last_, *names_));
    return true;
  }

  [[nodiscard]] const LedgerSnapshot& last() const { return *last_; }
  [[nodiscard]] baseline::Growth growth() const { return growth_; }

 private:
  static LeakOptions OptionsFor(nanoseconds duration) {
    LeakOptions options;
    // A long look judges growth as `collect` does, a short one sooner.
    options.base_width_ns = std::min(
        options.base_width_ns,
        static_cast<std::uint64_t>(duration.count() / kBucketsPerLook));
    options.growth.minimum_window_ns = std::min<std::uint64_t>(
        options.growth.minimum_window_ns, 24 * options.base_width_ns);
    return options;
  }

  std::unique_ptr<LedgerReader> reader_;
  std::unique_ptr<Resolver> names_;
  ProcessAccount account_;
  const LeakOptions options_;
  ProcessLeaks leaks_;
  std::shared_ptr<const LedgerSnapshot> last_;
  baseline::Growth growth_ = baseline::Growth::kNone;
};

// What is looked at: one process with a ledger, or those without that fit.
struct Subject {
  std::optional<Watched> ledger;
  std::vector<SystemTarget> targets;
  std::optional<SystemSampler> sampler;
};

absl::Status FindSubject(const RecordOptions& options, Subject& subject) {
  const auto found = FindLiveLedger(options.discovery, options.what);
  if (found.ok()) {
    auto reader = LedgerReader::Open(found->snapshot->path);
    if (!reader.ok()) return reader.status();
    subject.ledger.emplace(*std::move(reader), options.duration);
    const LedgerIdentity& identity = found->snapshot->identity;
    subject.targets.push_back({identity.pid, identity.start_time_ticks,
                               identity.Program(), std::nullopt});
    subject.sampler.emplace(SystemOptions(), std::nullopt);
    return absl::OkStatus();
  }
  auto watch = ProcessWatch::Make({options.what}, "/proc");
  if (!watch.ok()) return watch.status();
  subject.sampler.emplace(SystemOptions(), *std::move(watch));
  return absl::OkStatus();
}

void Observe(const Subject& subject, const SystemView& view,
             baseline::Learner& learner) {
  for (const TargetSample& target : view.targets) {
    baseline::Sample sample = QuantitiesOf(target, view);
    baseline::Growth growth = GrowthOf(target);
    if (subject.ledger) {
      AddHeap(subject.ledger->last(), sample);
      growth = subject.ledger->growth();
    }
    learner.Observe(target.pid, target.process, sample, growth);
  }
}

absl::Status NothingLearned(const std::string& what, bool grew) {
  if (!grew) {
    return absl::NotFoundError(absl::StrCat(
        "no running program is ", what, "; heapledger ps lists the measured"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      what,
      " grew while it was looked at, and growth is no normal memory; see "
      "heapledger leaks ",
      what, ", or record for longer"));
}

}  // namespace

absl::StatusOr<baseline::Baseline> Record(const RecordOptions& options) {
  Subject subject;
  const absl::Status found = FindSubject(options, subject);
  if (!found.ok()) return found;
  std::signal(SIGINT, [](int) { g_interrupted = 1; });
  // All waits until the end, when it is known whether it was growth.
  constexpr auto kForever = std::numeric_limits<std::uint64_t>::max() / 4;
  baseline::Learner learner({.wait_ns = kForever, .period_ns = kForever});
  const nanoseconds tick = std::min(
      {kLongestTick, options.interval, options.duration / kTicksPerLook});
  const Clock::time_point begin = Clock::now();
  Clock::time_point next_sample = begin;
  bool seen = false;
  while (g_interrupted == 0 && Clock::now() - begin < options.duration) {
    if (subject.ledger && !subject.ledger->Look()) break;
    if (Clock::now() >= next_sample) {
      next_sample += options.interval;
      const auto view = subject.sampler->Sample(subject.targets, Clock::now());
      if (view->targets.empty()) break;
      seen = true;
      Observe(subject, *view, learner);
    }
    std::this_thread::sleep_for(tick);
  }
  // Growth is told by many looks: what came after the last sample counts, too.
  const bool grows = subject.ledger && seen &&
                     subject.ledger->growth() == baseline::Growth::kSuspected;
  if (!grows) learner.AdmitAll();
  if (learner.baseline().empty()) return NothingLearned(options.what, seen);
  return learner.baseline();
}

}  // namespace heapledger::collector::cli
