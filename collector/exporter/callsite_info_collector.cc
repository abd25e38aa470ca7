// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/callsite_info_collector.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "collector/exporter/callsite_collector.h"
#include "collector/exporter/families.h"
#include "collector/exporter/process_collector.h"

namespace heapledger::collector {
namespace {

// The series of one process.
class Places {
 public:
  Places(const ProcessView& process, Family* info)
      : labels_(ProcessLabels(process)), info_(info) {}

  void Add(const CallsiteView& callsite) {
    std::string fingerprint = callsite.fingerprint.ToString();
    const CallsiteName& name = callsite.name;
    const MetricLabels labels =
        CallsiteLabels(labels_, fingerprint, name.function, name.module);
    if (!known_.insert(std::move(fingerprint)).second) return;
    info_->Add(With(With(labels, "file", name.file), "line",
                    name.line == 0 ? "" : std::to_string(name.line)),
               1.0);
  }

 private:
  const MetricLabels labels_;
  Family* const info_;
  std::set<std::string> known_;
};

class CallsiteInfoCollector final : public MetricCollector {
 public:
  CallsiteInfoCollector(const HostSource* source, const HostLeaks* leaks,
                        std::size_t max_callsites)
      : source_(source), leaks_(leaks), max_callsites_(max_callsites) {}

  std::string_view name() const override { return "callsite_info"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    Family info = Family::Gauge(
        "heapledger_callsite_info",
        "1 for every callsite with series of its own, with its place in the "
        "source where debug information tells; join on process, pid and "
        "callsite.");
    const auto leaks = leaks_->view();
    for (const auto& process : source_->host()->processes) {
      if (process->snapshot->never_armed()) continue;
      Places places(*process, &info);
      const std::size_t shown = std::min(process->top.size(), max_callsites_);
      for (std::size_t i = 0; i < shown; ++i) places.Add(process->top[i]);
      const auto found = leaks->find(process->snapshot->lineage);
      if (found == leaks->end()) continue;
      const auto& suspects = found->second->suspects;
      const std::size_t suspected = std::min(suspects.size(), max_callsites_);
      for (std::size_t i = 0; i < suspected; ++i) {
        places.Add(suspects[i].callsite);
      }
    }
    return TakeFamilies(std::move(info));
  }

 private:
  const HostSource* source_;
  const HostLeaks* leaks_;
  const std::size_t max_callsites_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeCallsiteInfoCollector(
    const HostSource* source, const HostLeaks* leaks,
    std::size_t max_callsites) {
  return std::make_unique<CallsiteInfoCollector>(source, leaks, max_callsites);
}

}  // namespace heapledger::collector
