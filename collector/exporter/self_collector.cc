// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/self_collector.h"

#include <map>
#include <string>
#include <utility>

#include "collector/exporter/families.h"

namespace heapledger::collector {
namespace {

void AddHost(const ShownHost& host, std::size_t watched,
             std::uint64_t violations, MetricFamilies* families) {
  Family build = Family::Gauge("heapledger_build_info",
                               "1; the label says which build this is.");
  build.Add(With({}, "version", HEAPLEDGER_VERSION), 1.0);
  Family targets = Family::Gauge(
      "heapledger_targets", "Processes that are measured or watched, and run.");
  targets.Add({}, static_cast<double>(host.targets + watched));
  Family unmeasured =
      Family::Gauge("heapledger_unmeasured_processes",
                    "Running processes that the shim was meant for and that "
                    "have no counts, by "
                    "reason; `heapledger doctor` says what to do.");
  std::map<std::string, double> by_reason;
  for (const UnmeasuredProcess& process : host.view->unmeasured) {
    if (!process.alive) continue;
    by_reason[process.off_reason ? OffReasonWord(*process.off_reason)
                                 : "silent"] += 1;
  }
  for (const auto& [reason, count] : by_reason) {
    unmeasured.Add(With({}, "reason", reason), count);
  }
  Family unreadable = Family::Gauge(
      "heapledger_unreadable_ledgers",
      "Ledgers and directories that were refused; the collector's "
      "standard error has a sentence on each.");
  unreadable.Add({}, static_cast<double>(host.view->problems.size()));
  Family broken = Family::Counter(
      "heapledger_invariant_violations_total",
      "Times that the callsites of a process did not add up to its total, or "
      "more was freed than allocated. Anything but 0 is a defect.");
  broken.Add({}, violations);
  for (prometheus::MetricFamily& family :
       TakeFamilies(std::move(build), std::move(targets), std::move(unmeasured),
                    std::move(unreadable), std::move(broken))) {
    families->push_back(std::move(family));
  }
}

void AddHttp(const HttpServerStats& stats, MetricFamilies* families) {
  Family open = Family::Gauge("heapledger_http_connections",
                              "HTTP connections that are open.");
  open.Add({}, stats.connections);
  Family connections =
      Family::Counter("heapledger_http_connections_total",
                      "HTTP connections by what became of them: accepted, "
                      "refused for want of a "
                      "free one, evicted to make room, or timed_out.");
  connections.Add(With({}, "event", "accepted"), stats.accepted_total);
  connections.Add(With({}, "event", "refused"), stats.refused_total);
  connections.Add(With({}, "event", "evicted"), stats.evicted_total);
  connections.Add(With({}, "event", "timed_out"), stats.timeouts_total);
  Family responses = Family::Counter("heapledger_http_responses_total",
                                     "HTTP responses by status.");
  for (const auto& [status, count] : stats.responses_total) {
    responses.Add(With({}, "code", std::to_string(status)), count);
  }
  for (prometheus::MetricFamily& family : TakeFamilies(
           std::move(open), std::move(connections), std::move(responses))) {
    families->push_back(std::move(family));
  }
}

class SelfCollector final : public MetricCollector {
 public:
  SelfCollector(const HostSource* source, const SystemSource* system,
                std::function<HttpServerStats()> http, DroppedSeries* dropped)
      : source_(source),
        system_(system),
        http_(std::move(http)),
        dropped_(dropped) {}

  std::string_view name() const override { return "self"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    const auto host = source_->host();
    const auto system = system_->view();
    dropped_->Add(
        SeriesDrop::kTargetCap,
        host->targets - host->processes.size() + system->watched_dropped);
    MetricFamilies families;
    AddHost(*host, system->watched, source_->invariant_violations(), &families);
    AddHttp(http_(), &families);
    return families;
  }

 private:
  const HostSource* source_;
  const SystemSource* system_;
  std::function<HttpServerStats()> http_;
  DroppedSeries* dropped_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeSelfCollector(
    const HostSource* source, const SystemSource* system,
    std::function<HttpServerStats()> http, DroppedSeries* dropped) {
  return std::make_unique<SelfCollector>(source, system, std::move(http),
                                         dropped);
}

}  // namespace heapledger::collector
