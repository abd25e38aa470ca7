// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/leak_collector.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "collector/exporter/callsite_collector.h"
#include "collector/exporter/families.h"
#include "collector/exporter/process_collector.h"
#include "collector/leaks/leaks_json.h"

namespace heapledger::collector {
namespace {

struct LeakFamilies {
  Family bytes = Family::Gauge(
      "heapledger_leak_suspect_bytes",
      "Bytes that the evidence is about: growth, by how much the floor of the "
      "callsite's live bytes rose over its window; age, how many are at least "
      "half a window old; unreachable, how many no pointer reached in the last "
      "scan.");
  Family objects = Family::Gauge("heapledger_leak_suspect_objects",
                                 "Blocks that the evidence is about, as of "
                                 "heapledger_leak_suspect_bytes.");
  Family suspects = Family::Gauge(
      "heapledger_leak_suspects",
      "Callsites that are suspected to leak, new ones and third parties', by "
      "kind of evidence; 0 where there are none.");
  Family score = Family::Gauge(
      "heapledger_heap_leak_score",
      "For how much of an hour the floor of the live bytes (of a process that "
      "is not under the shim: the resident bytes) has been rising without a "
      "sign of an end, from 0 (it is not) to 1.");
  Family growth = Family::Gauge(
      "heapledger_heap_floor_growth_bytes_per_second",
      "How fast the floor of the live bytes rises: swings do not move it; "
      "absent where the score is 0.");
  Family exhaustion = Family::Gauge(
      "heapledger_heap_exhaustion_seconds",
      "Until growth has used up what the process can have; absent unless it "
      "was watched for at least a third as long. Below 3000 is worth an "
      "alarm.");
};

bool WantsAttention(const Suspect& suspect) {
  return suspect.state == SuspectState::kNew ||
         suspect.state == SuspectState::kThirdParty;
}

class LeakCollector final : public MetricCollector {
 public:
  LeakCollector(const HostSource* source, const HostLeaks* leaks,
                std::size_t max_suspects, DroppedSeries* dropped)
      : source_(source),
        leaks_(leaks),
        max_suspects_(max_suspects),
        dropped_(dropped) {}

  std::string_view name() const override { return "leaks"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    LeakFamilies families;
    const auto leaks = leaks_->view();
    for (const auto& process : source_->host()->processes) {
      if (process->snapshot->never_armed()) continue;
      const auto found = leaks->find(process->snapshot->lineage);
      if (found == leaks->end()) continue;
      AddProcess(ProcessLabels(*process), *found->second, families);
      AddTrend(ProcessLabels(*process), found->second->trend, families);
    }
    for (const ResidentTrend& watched : *leaks_->residents().view()) {
      AddTrend(
          {{"process", watched.process}, {"pid", std::to_string(watched.pid)}},
          watched.trend, families);
    }
    return TakeFamilies(std::move(families.bytes), std::move(families.objects),
                        std::move(families.suspects), std::move(families.score),
                        std::move(families.growth),
                        std::move(families.exhaustion));
  }

 private:
  void AddProcess(const MetricLabels& process, const ProcessLeakView& leaks,
                  LeakFamilies& families) {
    std::uint64_t shown = 0;
    std::uint64_t with_growth = 0;
    std::uint64_t with_age = 0;
    std::uint64_t unreachable = 0;
    for (const Suspect& suspect : leaks.suspects) {
      if (!WantsAttention(suspect)) continue;
      if (suspect.growth) ++with_growth;
      if (suspect.age) ++with_age;
      if (suspect.unreachable) ++unreachable;
      if (++shown > max_suspects_) {
        dropped_->Add(SeriesDrop::kCallsiteCap, 1);
        continue;
      }
      AddSuspect(
          CallsiteLabels(process, suspect.callsite.fingerprint.ToString(),
                         suspect.callsite.name.function,
                         suspect.callsite.name.module),
          suspect, families);
    }
    families.suspects.Add(With(process, "evidence", "growth"), with_growth);
    families.suspects.Add(With(process, "evidence", "age"), with_age);
    // Without a scan nothing is known, which is not none.
    if (leaks.scanned) {
      families.suspects.Add(With(process, "evidence", "unreachable"),
                            unreachable);
    }
  }

  static void AddTrend(const MetricLabels& process, const TrendView& trend,
                       LeakFamilies& families) {
    families.score.Add(process, trend.score);
    if (trend.growth) {
      families.growth.Add(process, trend.growth->bytes_per_second);
    }
    if (trend.exhaustion_seconds) {
      families.exhaustion.Add(process, *trend.exhaustion_seconds);
    }
  }

  static void AddSuspect(const MetricLabels& callsite, const Suspect& suspect,
                         LeakFamilies& families) {
    const auto add = [&](const char* evidence, std::uint64_t bytes,
                         std::uint64_t objects) {
      const MetricLabels labels = With(callsite, "evidence", evidence);
      families.bytes.Add(labels, bytes);
      families.objects.Add(labels, objects);
    };
    if (suspect.growth) {
      add("growth", suspect.growth->rise_bytes, suspect.growth->rise_objects);
    }
    if (suspect.age) {
      add("age", suspect.age->older_bytes, suspect.age->older_objects);
    }
    if (suspect.unreachable) {
      add("unreachable", suspect.unreachable->bytes(),
          suspect.unreachable->objects());
    }
  }

  const HostSource* source_;
  const HostLeaks* leaks_;
  const std::size_t max_suspects_;
  DroppedSeries* dropped_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeLeakCollector(const HostSource* source,
                                                   const HostLeaks* leaks,
                                                   std::size_t max_suspects,
                                                   DroppedSeries* dropped) {
  return std::make_unique<LeakCollector>(source, leaks, max_suspects, dropped);
}

std::string RenderLeaks(const ShownHost& host, const HostLeakView& leaks,
                        FrameNames& names) {
  using Json = nlohmann::ordered_json;
  Json json;
  json["processes"] = Json::array();
  for (const auto& process : host.processes) {
    const auto found = leaks.find(process->snapshot->lineage);
    if (found == leaks.end()) continue;
    json["processes"].push_back(LeaksJson(*found->second, names));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heapledger::collector
