// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/tag_collector.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/exporter/clean_text.h"
#include "collector/exporter/families.h"
#include "collector/exporter/process_collector.h"
#include "collector/exporter/text_format.h"

namespace heapledger::collector {
namespace {

struct Figures {
  HeapCounters counters;
  ScopeCounts scopes;

  Figures& operator+=(const TagAccount& account) {
    counters += account.counters;
    scopes += account.scopes;
    return *this;
  }
};

// Label names and values, sorted by name, each once. Two tags may come to the
// same labels, whose figures are then one: series must differ, and sums hold.
using LabelSet = std::map<std::string, std::string>;
using FiguresByLabels = std::map<LabelSet, Figures>;

MetricLabels LabelsOf(const MetricLabels& process, const LabelSet& own) {
  MetricLabels labels = process;
  for (const auto& [name, value] : own) labels.push_back({name, value});
  return labels;
}

LabelSet LabelsOf(const TagInfo& tag) {
  LabelSet labels;
  labels["tag"] = CleanText(tag.name, kMaxLabelBytes);
  for (const TagLabel& label : tag.labels) {
    labels.try_emplace(TagLabelName(label.key),
                       CleanText(label.value, kMaxLabelBytes));
  }
  return labels;
}

struct TagFamilies {
  Family live_bytes = Family::Gauge(
      "heapledger_tag_live_bytes",
      "Bytes allocated under this tag and not yet freed; the sum over tags, "
      "with _untagged and _other, is heapledger_heap_live_bytes. Absent for a "
      "process without tags.");
  Family live_objects = Family::Gauge(
      "heapledger_tag_live_objects",
      "Blocks allocated under this tag and not yet freed; the sum over tags is "
      "heapledger_heap_live_objects.");
  Family allocated_bytes = Family::Counter(
      "heapledger_tag_allocated_bytes_total",
      "Bytes allocated under this tag since the start; _other falls when a tag "
      "gets series of its own.");
  Family open_scopes = Family::Gauge(
      "heapledger_tag_open_scopes",
      "Scopes, and other things that live for a time, with this tag that are "
      "not over.");
  Family scopes = Family::Counter(
      "heapledger_tag_scopes_total",
      "Scopes, and other things that live for a time, that were begun with "
      "this tag.");

  void Add(const MetricLabels& labels, const Figures& figures) {
    live_bytes.Add(labels, figures.counters.live_bytes());
    live_objects.Add(labels, figures.counters.live_objects());
    allocated_bytes.Add(labels, figures.counters.allocated_bytes);
    if (figures.scopes.begun == 0) return;
    open_scopes.Add(labels, figures.scopes.open());
    scopes.Add(labels, figures.scopes.begun);
  }

  void Add(const ProcessView& process) {
    if (process.tags.empty()) return;
    FiguresByLabels rows;
    for (const std::size_t row : process.top_tags.rows) {
      rows[LabelsOf(process.tags[row].tag)] += process.tags[row];
    }
    rows[LabelsOf(process.top_tags.other.tag)] += process.top_tags.other;
    const MetricLabels labels = ProcessLabels(process);
    for (const auto& [own, figures] : rows) Add(LabelsOf(labels, own), figures);
  }
};

std::uint64_t ValueOf(const Figures& figures, TagValue value) {
  switch (value) {
    case TagValue::kLiveBytes:
      return figures.counters.live_bytes();
    case TagValue::kLiveObjects:
      return figures.counters.live_objects();
    case TagValue::kAllocatedBytes:
      return figures.counters.allocated_bytes;
    case TagValue::kOpenScopes:
      return figures.scopes.open();
  }
  return 0;
}

LabelSet LabelsFor(const ApplicationMetric& metric, const TagInfo& tag) {
  LabelSet labels;
  for (const std::string& name : metric.labels) {
    const auto found = std::ranges::find(tag.labels, name, &TagLabel::key);
    if (found == tag.labels.end()) continue;
    labels[name] = CleanText(found->value, kMaxLabelBytes);
  }
  return labels;
}

void AddProcess(const ProcessView& process, const ApplicationMetric& metric,
                Family& family) {
  FiguresByLabels rows;
  for (const TagAccount& account : process.tags) {
    if (account.tag.name != metric.tag) continue;
    LabelSet labels = LabelsFor(metric, account.tag);
    if (rows.size() >= kMaxApplicationSeries && !rows.contains(labels)) {
      labels.clear();
    }
    rows[labels] += account;
  }
  const MetricLabels labels = ProcessLabels(process);
  for (const auto& [own, figures] : rows) {
    family.Add(LabelsOf(labels, own), ValueOf(figures, metric.value));
  }
}

class TagCollector final : public MetricCollector {
 public:
  TagCollector(const HostSource* source, std::vector<ApplicationMetric> metrics)
      : source_(source), metrics_(std::move(metrics)) {}

  std::string_view name() const override { return "tags"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    const auto host = source_->host();
    TagFamilies tags;
    for (const auto& process : host->processes) {
      if (!process->snapshot->never_armed()) tags.Add(*process);
    }
    MetricFamilies families =
        TakeFamilies(std::move(tags.live_bytes), std::move(tags.live_objects),
                     std::move(tags.allocated_bytes),
                     std::move(tags.open_scopes), std::move(tags.scopes));
    for (const ApplicationMetric& metric : metrics_) {
      Family family = metric.value == TagValue::kAllocatedBytes
                          ? Family::Counter(metric.name, metric.help)
                          : Family::Gauge(metric.name, metric.help);
      for (const auto& process : host->processes) {
        if (process->snapshot->never_armed()) continue;
        AddProcess(*process, metric, family);
      }
      families.push_back(std::move(family).Take());
    }
    std::erase_if(families,
                  [](const auto& family) { return family.metric.empty(); });
    return families;
  }

 private:
  const HostSource* source_;
  const std::vector<ApplicationMetric> metrics_;
};

}  // namespace

std::string TagLabelName(std::string_view key) {
  std::string name = "tag_";
  for (const char c : key) {
    name += absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '_';
  }
  return name;
}

std::unique_ptr<MetricCollector> MakeTagCollector(
    const HostSource* source, std::vector<ApplicationMetric> metrics) {
  return std::make_unique<TagCollector>(source, std::move(metrics));
}

}  // namespace heapledger::collector
