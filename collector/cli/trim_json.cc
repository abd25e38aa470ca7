// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/trim_json.h"

#include <algorithm>
#include <string>

#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

nlohmann::ordered_json BeforeAndAfter(std::uint64_t before,
                                      std::uint64_t after) {
  return {{"before", before}, {"after", after}};
}

}  // namespace

nlohmann::ordered_json TrimJson(const TrimFacts& trim) {
  nlohmann::ordered_json json;
  json["result"] = std::string(TrimResultWord(trim.result));
  json["asked_by"] = std::string(TrimAskerWord(trim.asked_by));
  json["at"] = UtcTimeText(trim.realtime_ns);
  json["duration_seconds"] = static_cast<double>(trim.duration_ns) / 1e9;
  json["returned_bytes"] = trim.before.resident -
                           std::min(trim.before.resident, trim.after.resident);
  json["resident_bytes"] =
      BeforeAndAfter(trim.before.resident, trim.after.resident);
  json["allocator_held_bytes"] =
      BeforeAndAfter(trim.before.held, trim.after.held);
  json["allocator_free_bytes"] =
      BeforeAndAfter(trim.before.free, trim.after.free);
  return json;
}

}  // namespace heapledger::collector::cli
