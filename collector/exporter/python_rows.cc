// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/python_rows.h"

#include <map>
#include <string_view>
#include <utility>

#include "collector/exporter/process_collector.h"

namespace heapledger::collector {
namespace {

using Key = std::pair<std::uint32_t, std::uint64_t>;  // pid, start time

std::string_view WhyNoHelper(const PythonFigures* figures) {
  if (figures == nullptr) return "not_asked";
  switch (figures->state) {
    case PythonHelperState::kWaiting:
      return "waiting";
    case PythonHelperState::kOff:
      return PythonReasonWord(figures->reason);
    case PythonHelperState::kOn:
      return "torn";  // its figures, killed as it was while writing them
    case PythonHelperState::kUnknown:
      break;
  }
  return "unknown";
}

// Before 3.11 an interpreter does not say its version in memory, and the file's
// name has it without the last part.
std::string OutsideVersion(const PythonVersion& version) {
  const std::string text = version.Text();
  return version.minor < 11 ? text.substr(0, text.rfind('.')) : text;
}

void TakeOutside(const python::Sample& sample, PythonRow& row) {
  if (!sample.runtime) return;
  row.generations = sample.runtime->generations;
  row.collector_enabled = sample.runtime->collector_enabled;
  row.interpreters = sample.runtime->interpreters;
  row.version = OutsideVersion(sample.runtime->version);
}

// What the helper knows is of the last collection; of what changes in between,
// the look from outside is newer.
void TakeHelper(const std::shared_ptr<const PythonFigures>& figures,
                PythonRow& row) {
  const auto outside = std::exchange(row.generations, std::nullopt);
  row.generations.emplace();
  for (std::size_t i = 0; i < kPythonGenerationCount; ++i) {
    PythonCollections& counts = (*row.generations)[i];
    counts = (*figures->generations)[i].first;
    if (!outside) continue;
    counts.counter = (*outside)[i].counter;
    counts.threshold = (*outside)[i].threshold;
  }
  if (!row.collector_enabled) {
    row.collector_enabled = figures->collector_enabled;
  }
  row.version = figures->version.Text();
  row.helper = figures;
}

PythonRow RowOf(MetricLabels labels,
                const std::shared_ptr<const PythonFigures>& figures,
                const python::Sample* sample) {
  PythonRow row;
  row.labels = std::move(labels);
  if (sample != nullptr) TakeOutside(*sample, row);
  if (figures != nullptr && figures->state == PythonHelperState::kOn &&
      figures->generations) {
    TakeHelper(figures, row);
    row.read = "helper";
    row.reason = "none";
  } else if (row.generations) {
    row.read = "outside";
    row.reason = WhyNoHelper(figures.get());
  } else {
    row.read = "off";
    row.reason = sample != nullptr ? python::RefusalWord(sample->refusal)
                                   : WhyNoHelper(figures.get());
  }
  return row;
}

}  // namespace

std::vector<PythonRow> PythonRows(const HostSource& source,
                                  const PythonSource& outside) {
  const auto view = outside.view();
  std::map<Key, const python::Sample*> samples;
  for (const python::Sample& sample : view->samples) {
    samples[{sample.target.pid, sample.target.start_time_ticks}] = &sample;
  }
  std::vector<PythonRow> rows;
  for (const auto& process : source.host()->processes) {
    const LedgerIdentity& identity = process->snapshot->identity;
    const auto found =
        samples.extract({identity.pid, identity.start_time_ticks});
    const python::Sample* const sample =
        found.empty() ? nullptr : found.mapped();
    if (sample == nullptr && process->snapshot->python == nullptr) continue;
    rows.push_back(
        RowOf(ProcessLabels(*process), process->snapshot->python, sample));
  }
  for (const auto& [key, sample] : samples) {
    rows.push_back(RowOf({{"process", sample->target.process},
                          {"pid", std::to_string(sample->target.pid)}},
                         nullptr, sample));
  }
  return rows;
}

}  // namespace heapledger::collector
