// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "collector/logs/journal_source.h"

namespace heapledger::collector::logs {
namespace {

using Json = nlohmann::json;

// A field's text: a string, or its bytes where they are no UTF-8; of a field
// that an entry has more than once, the first.
std::string Field(const Json& entry, const char* name) {
  const auto found = entry.find(name);
  if (found == entry.end()) return "";
  const Json* value = &*found;
  if (value->is_array() && !value->empty() && !value->front().is_number()) {
    value = &value->front();
  }
  if (value->is_string()) return value->get<std::string>();
  std::string bytes;
  if (!value->is_array()) return bytes;
  for (const Json& byte : *value) {
    if (!byte.is_number_integer()) return "";
    bytes += static_cast<char>(byte.get<std::int64_t>());
  }
  return bytes;
}

}  // namespace

std::optional<JournalEntry> ParseJournalEntry(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  JournalEntry entry;
  entry.text = Field(json, "MESSAGE");
  if (entry.text.empty()) return std::nullopt;
  const bool from_kernel = Field(json, "_TRANSPORT") == "kernel";
  entry.program = Field(json, "SYSLOG_IDENTIFIER");
  // A field that begins with '_' is journald's own finding.
  if (entry.program.empty() || (entry.program == "kernel" && !from_kernel)) {
    entry.program = Field(json, "_COMM");
  }
  if (from_kernel) entry.program = "kernel";
  if (entry.program.empty()) entry.program = "unknown";
  (void)absl::SimpleAtoi(Field(json, "_PID"), &entry.pid);
  std::uint64_t microseconds = 0;
  if (absl::SimpleAtoi(Field(json, "__REALTIME_TIMESTAMP"), &microseconds)) {
    entry.realtime_ns = microseconds * 1000;
  }
  return entry;
}

}  // namespace heapledger::collector::logs
