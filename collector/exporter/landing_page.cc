// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/landing_page.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/exporter/text_format.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector {
namespace {

// Longest name shown, in bytes.
constexpr std::size_t kMaxNameBytes = 256;

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kPages =
    {{{"/metrics", "all metrics, for Prometheus"},
      {"/metrics/memory", "heaps, process by process"},
      {"/metrics/callsites", "the top callsites of every process"},
      {"/api/v1/leaks", "callsites that are suspected to leak, as JSON"},
      {"/-/healthy", "whether the collector samples"},
      {"/-/ready", "whether there is a first sample to read"}}};

std::string EscapeHtml(std::string_view text) {
  return EscapeMarkup(CleanText(text, kMaxNameBytes));
}

std::string HumanBytes(std::uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, value, kUnits[unit]);
}

std::string ProcessRow(const ProcessView& process) {
  const LedgerSnapshot& snapshot = *process.snapshot;
  const std::string about = snapshot.estimated() ? "~" : "";
  const auto figure = [&](const std::string& text) {
    return snapshot.never_armed() ? "-" : about + text;
  };
  return absl::StrCat(
      "<tr><td>", EscapeHtml(snapshot.identity.Program()),
      "<td><a href=\"/debug/pprof/heap?pid=", snapshot.identity.pid, "\">",
      snapshot.identity.pid, "</a><td>", std::string(ModeWord(snapshot.mode)),
      "<td>", figure(HumanBytes(snapshot.totals.live_bytes())), "<td>",
      figure(absl::StrCat(snapshot.totals.live_objects())), "<td>",
      figure(HumanBytes(snapshot.peak_live_bytes)), "<td>", process.callsites,
      "\n");
}

}  // namespace

std::string RenderLandingPage(const ShownHost& host, std::string_view health) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
      "<title>heapledger</title>\n"
      "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;"
      "max-width:60em}table{border-collapse:collapse}"
      "td,th{padding:.2em 1em .2em 0;text-align:right}"
      "td:first-child,th:first-child{text-align:left}</style>\n"
      "<h1>heapledger</h1>\n";
  absl::StrAppend(&page, "<p>Version " HEAPLEDGER_VERSION);
  if (!health.empty()) absl::StrAppend(&page, ", ", EscapeHtml(health));
  page += ".\n<ul>\n";
  for (const auto& [path, what] : kPages) {
    absl::StrAppend(&page, "<li><a href=\"", std::string(path), "\">",
                    std::string(path), "</a>: ", std::string(what), "\n");
  }
  absl::StrAppend(&page, "</ul>\n<h2>Processes</h2>\n");
  if (host.processes.empty()) {
    return absl::StrCat(page,
                        "<p>None is measured. Start one with <code>heapledger "
                        "run -- COMMAND</code>.\n");
  }
  auto processes = host.processes;
  std::ranges::stable_sort(processes, std::greater(), [](const auto& process) {
    return process->snapshot->totals.live_bytes();
  });
  absl::StrAppend(
      &page,
      "<table><tr><th>process<th>pid<th>mode<th>live<th>objects<th>peak"
      "<th>callsites\n");
  for (const auto& process : processes) page += ProcessRow(*process);
  page +=
      "</table>\n<p>A pid leads to the heap's profile, for <code>go tool "
      "pprof</code>.\n";
  if (std::ranges::any_of(processes, [](const auto& process) {
        return process->snapshot->estimated();
      })) {
    page += "<p>Figures with a ~ are estimates from samples.\n";
  }
  if (host.targets > host.processes.size()) {
    absl::StrAppend(&page, "<p>", host.targets - host.processes.size(),
                    " more are measured and not shown.\n");
  }
  return page;
}

}  // namespace heapledger::collector
