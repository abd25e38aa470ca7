// SPDX-License-Identifier: Apache-2.0
// A history through the engine, as if it happened.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "collector/response/history.h"

namespace heapledger::collector::response {
namespace {

using Who = std::pair<std::string, TargetKey>;

Who WhoOf(const HistoryRow& row) {
  return {row.reading.target.process, row.reading.target.key};
}

// Between two readings the first one holds; the engine looks as often as it
// would, but no more often than this, so that a day between two takes no day.
constexpr Duration kLook = std::chrono::milliseconds(200);
constexpr int kMostLooks = 300;

}  // namespace

std::vector<Event> Replay(const Rules& rules, const History& history) {
  Engine engine(rules, {.dry_run = true});
  std::vector<Event> events;
  std::map<Who, Time> last_seen;
  for (const HistoryRow& row : history.rows) last_seen[WhoOf(row)] = row.at;
  // Programs of one pid, or of none, are told apart by their names.
  std::map<Who, std::uint64_t> numbers;
  for (const auto& [who, at] : last_seen) numbers[who] = numbers.size();
  std::map<Who, HistoryRow> now;
  const auto look = [&](Time at) {
    std::vector<TargetReading> readings;
    for (const auto& [who, row] : now) {
      TargetReading reading = row.reading;
      reading.target.key.start_time_ticks = numbers.at(who);
      readings.push_back(std::move(reading));
    }
    Engine::Turn turn = engine.Look(at, readings);
    std::ranges::move(turn.events, std::back_inserter(events));
  };
  for (std::size_t i = 0; i < history.rows.size();) {
    const Time at = history.rows[i].at;
    for (; i < history.rows.size() && history.rows[i].at == at; ++i) {
      const HistoryRow& row = history.rows[i];
      const Target& target = row.reading.target;
      (void)engine.TakeAlert({std::to_string(target.key.pid), target.process,
                              target.key.pid, row.alert},
                             at);
      now[WhoOf(row)] = row;
    }
    look(at);
    std::erase_if(
        now, [&](const auto& each) { return last_seen[each.first] <= at; });
    if (i == history.rows.size()) break;
    const Duration gap = history.rows[i].at - at;
    const Duration step = std::max<Duration>(kLook, gap / kMostLooks);
    for (Time between = at + step; between < history.rows[i].at;
         between += step) {
      look(between);
    }
  }
  return events;
}

}  // namespace heapledger::collector::response
