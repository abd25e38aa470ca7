// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/response_loop.h"

#include <algorithm>
#include <exception>

namespace heapledger::collector::cli {
namespace {

using response::Engine;
using response::Order;
using response::Outcome;

// Between two looks, unless they cost more than a twentieth of the time.
constexpr std::chrono::milliseconds kLook{200};
constexpr int kPausePerLook = 20;
constexpr std::size_t kWorkers = 8;
constexpr std::size_t kQueued = 256;
constexpr std::size_t kMostWaitingAlerts = 1000;
// The share of a second at which stalls are worth a look where no rule says.
constexpr double kDefaultStall = 0.1;

response::Time Now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

double LowestStall(const response::Rules& rules) {
  double share = kDefaultStall;
  for (const response::Rule& rule : rules.rules) {
    for (const response::Threshold& threshold : rule.thresholds) {
      if (threshold.quantity != response::Quantity::kStall) continue;
      share = std::min(share, threshold.enter);
    }
  }
  // The kernel takes no less than 0.05 % of a window.
  return std::max(share, 0.001);
}

}  // namespace

ResponseLoop::ResponseLoop(ResponsePlan plan, const HostSource* source,
                           const SystemSource* system, const HostLeaks* leaks,
                           DiscoveryOptions discovery, FrameNames* names,
                           std::function<void(const std::string&)> log)
    : log_(std::move(log)),
      control_(std::move(discovery), names),
      runner_(&control_),
      watch_(LowestStall(plan.rules)),
      engine_(plan.rules, {.dry_run = plan.dry_run, .max_running = kWorkers}),
      reader_(source, system, leaks, &watch_),
      rules_(plan.rules),
      view_(engine_.View()),
      webhook_(
          plan.rules.webhook, plan.webhook_secret,
          [this](const response::Alert& alert) { return TakeAlert(alert); }),
      workers_(kWorkers, kQueued) {}

ResponseLoop::~ResponseLoop() {
  (void)Stop(std::chrono::milliseconds(0));
  if (thread_.joinable()) thread_.join();
  workers_.Stop();
}

void ResponseLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool ResponseLoop::Stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  watch_.Wake();
  return !thread_.joinable() ||
         wake_.wait_for(lock, patience, [this] { return done_; });
}

std::shared_ptr<const response::ResponseView> ResponseLoop::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

bool ResponseLoop::TakeAlert(const response::Alert& alert) {
  {
    const std::lock_guard lock(mutex_);
    if (alerts_.size() >= kMostWaitingAlerts) return false;
    alerts_.push_back(alert);
  }
  watch_.Wake();
  return true;
}

void ResponseLoop::Run() {
  bool logged = false;
  for (;;) {
    const Clock::time_point begin = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    // Out of memory, most likely, which is when this is of use: the next look
    // may do.
    try {
      Look();
    } catch (const std::exception& error) {
      if (!logged) log_(std::string("response: ") + error.what());
      logged = true;
    }
    const Clock::duration taken = Clock::now() - begin;
    watch_.Wait(std::max<Clock::duration>(kLook, kPausePerLook * taken) -
                taken);
  }
  try {
    UndoAll();
  } catch (const std::exception& error) {
    log_(std::string("response: undo at the end: ") + error.what());
  }
  const std::lock_guard lock(mutex_);
  done_ = true;
  wake_.notify_all();
}

void ResponseLoop::Look() {
  TakeIn();
  const Clock::time_point now = Clock::now();
  const auto readings = reader_.Read(rules_, now);
  Handle(engine_.Look(now.time_since_epoch(), readings));
  auto view = engine_.View();
  const std::lock_guard lock(mutex_);
  view_ = std::move(view);
}

// What others said since the last look.
void ResponseLoop::TakeIn() {
  std::vector<Ended> ended;
  std::vector<response::Alert> alerts;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
    alerts.swap(alerts_);
  }
  for (const response::Alert& alert : alerts) {
    if (!engine_.TakeAlert(alert, Now())) {
      log_("response: more alerts fire than are kept; one is left alone");
    }
  }
  for (const Ended& each : ended) {
    Handle(engine_.Finish(Now(), each.order, each.outcome));
  }
}

void ResponseLoop::Handle(Engine::Turn turn) {
  for (const response::Event& event : turn.events) {
    log_("response: " + event.text);
  }
  for (Order& order : turn.orders) Carry(std::move(order));
}

void ResponseLoop::Carry(Order order) {
  const std::uint64_t id = order.id;
  const auto end = [this, id](Outcome outcome) {
    {
      const std::lock_guard lock(mutex_);
      ended_.push_back({id, std::move(outcome)});
      wake_.notify_all();
    }
    watch_.Wake();
  };
  const bool queued = workers_.TrySubmit([this, order = std::move(order), end] {
    try {
      end(runner_.Run(order));
    } catch (const std::exception& error) {
      end({.ending = response::Ending::kFailed, .message = error.what()});
    }
  });
  if (!queued) {
    end({.ending = response::Ending::kFailed,
         .message = "all who could do it are busy"});
  }
}

void ResponseLoop::UndoAll() {
  const Clock::time_point deadline = Clock::now() + kUndoPatience;
  const auto wait_for_all = [&](Clock::time_point until) {
    for (;;) {
      TakeIn();
      if (engine_.running() == 0) return true;
      std::unique_lock lock(mutex_);
      if (!ended_.empty()) continue;
      if (!wake_.wait_until(lock, until, [this] { return !ended_.empty(); })) {
        return false;
      }
    }
  };
  // What is being done has to be done before it can be undone.
  (void)wait_for_all(Clock::now() + kUndoPatience / 2);
  Handle(engine_.UndoAll(Now()));
  if (!wait_for_all(deadline)) {
    log_("response: not all that was changed could be undone in time");
  }
}

}  // namespace heapledger::collector::cli
