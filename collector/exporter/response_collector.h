// SPDX-License-Identifier: Apache-2.0
// heapledger_response_* and heapledger_webhook_*: how pressed programs are,
// what was done about it and what came of it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "collector/exporter/metric_collector.h"
#include "collector/response/engine.h"
#include "collector/response/webhook.h"

namespace heapledger::collector {

// Of any thread; what is given is never null.
struct ResponseSource {
  std::function<std::shared_ptr<const response::ResponseView>()> view;
  response::Webhook* webhook = nullptr;
};

[[nodiscard]] std::unique_ptr<MetricCollector> MakeResponseCollector(
    ResponseSource source);

// The text of /api/v1/response: {"dry_run", "programs": […], "actions": […],
// "events": […]}.
[[nodiscard]] std::string RenderResponse(const response::ResponseView& view);

}  // namespace heapledger::collector
