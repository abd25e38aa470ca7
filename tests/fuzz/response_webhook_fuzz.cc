// SPDX-License-Identifier: Apache-2.0
// Bodies of anybody at the webhook, and histories: nothing may break the
// readers; an alert that is taken is whole.
#include <cstdint>
#include <string_view>

#include "collector/response/history.h"
#include "collector/response/webhook.h"

namespace heapledger::collector::response {
namespace {

void Run(std::string_view body) {
  WebhookRules rules;
  rules.alerts = KnownAlerts();
  const auto alerts = ParseWebhook(body, rules, {"localhost:9797"});
  if (alerts.ok()) {
    if (alerts->size() > kMaxWebhookAlerts) __builtin_trap();
    for (const ReadAlert& each : *alerts) {
      const bool firing = each.result == AlertResult::kFiring;
      if (firing != (each.alert.level != Level::kNone)) __builtin_trap();
      if (firing && each.alert.process.empty()) __builtin_trap();
    }
  }
  (void)SignatureFits(body, "secret", body);
  const auto history = ParseHistory(body, "fuzz");
  if (!history.ok()) return;
  Time last{};
  for (const HistoryRow& row : history->rows) {
    if (row.at < last) __builtin_trap();
    last = row.at;
  }
}

}  // namespace
}  // namespace heapledger::collector::response

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::response::Run(
      {reinterpret_cast<const char*>(data), size});
  return 0;
}
