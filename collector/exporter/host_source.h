// SPDX-License-Identifier: Apache-2.0
// What the metric collectors and pages show: the processes of the last sample
// that still run, up to a cap. The sampler publishes, scrapes read; a scrape
// never waits for a sample.
//
// Thread safety: Publish() from one thread at a time, the rest from any.
//
// Invariants, checked for every process before it is published:
//  (1) the sum over its callsites, "_other" included, is its total;
//  (2) nothing was freed that was neither allocated nor inherited.
// One that does not hold is counted and published as it is: a wrong figure that
// says so is worth more than a gap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "collector/ledger/host_accounts.h"
#include "collector/ledger/process_account.h"

namespace heapledger::collector {

struct ShownHost {
  std::vector<std::shared_ptr<const ProcessView>> processes;
  std::size_t targets = 0;  // that run, with those above the cap
  // The sample as it came, ended processes included; never null.
  std::shared_ptr<const HostView> view;
};

class HostSource {
 public:
  static constexpr std::size_t kDefaultMaxTargets = 256;

  explicit HostSource(std::size_t max_targets = kDefaultMaxTargets);

  void Publish(std::shared_ptr<const HostView> view);

  // Never null; empty before the first sample.
  [[nodiscard]] std::shared_ptr<const ShownHost> host() const;
  // CLOCK_MONOTONIC; 0 before the first sample.
  [[nodiscard]] std::uint64_t last_sample_ns() const;
  [[nodiscard]] std::uint64_t invariant_violations() const;

 private:
  const std::size_t max_targets_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ShownHost> host_;
  std::uint64_t violations_ = 0;
};

// How many of the invariants above `process` breaks.
[[nodiscard]] std::uint64_t CountViolations(const ProcessView& process);

}  // namespace heapledger::collector
