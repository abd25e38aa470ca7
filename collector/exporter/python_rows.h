// SPDX-License-Identifier: Apache-2.0
// The processes with a CPython interpreter and the best that is known of each:
// by the helper thread in it, else by reading its memory from outside.
//
// Thread safety: any thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/exporter/families.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/python_source.h"

namespace heapledger::collector {

struct PythonRow {
  MetricLabels labels;  // process, pid
  std::string read;     // helper, outside, off
  // Of off why; else why it is not by the helper: not_asked where nobody wants
  // it to be.
  std::string reason;
  std::string version;  // empty where unknown
  std::optional<std::array<PythonCollections, kPythonGenerationCount>>
      generations;
  std::optional<bool> collector_enabled;
  std::optional<std::uint32_t> interpreters;
  // Durations, heap, types and the helper's costs; null unless it is on.
  std::shared_ptr<const PythonFigures> helper;
};

[[nodiscard]] std::vector<PythonRow> PythonRows(const HostSource& source,
                                                const PythonSource& outside);

}  // namespace heapledger::collector
