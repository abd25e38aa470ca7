// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/application_metrics.h"

namespace heapledger::collector {

std::vector<ApplicationMetric> DefaultApplicationMetrics() {
  return {{"circle_of_experts_memory_usage_bytes",
           "Live bytes under the tag `expert`, by its label expert_type.",
           "expert",
           {"expert_type"}},
          {"mcp_server_memory_usage_bytes",
           "Live bytes under the tag `mcp_server`, by its label server_name.",
           "mcp_server",
           {"server_name"}},
          {"database_connection_pool_memory_bytes",
           "Live bytes under the tag `database_connection_pool`.",
           "database_connection_pool",
           {}},
          {"cache_memory_usage_bytes",
           "Live bytes under the tag `cache`, by its label cache_type.",
           "cache",
           {"cache_type"}},
          {"active_request_memory_bytes",
           "Live bytes under the tag `active_request`.",
           "active_request",
           {}},
          {"websocket_connection_memory_bytes",
           "Live bytes under the tag `websocket_connection`.",
           "websocket_connection",
           {}}};
}

}  // namespace heapledger::collector
