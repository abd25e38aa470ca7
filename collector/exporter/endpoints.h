// SPDX-License-Identifier: Apache-2.0
// The pages of `heapledger collect`, wired to the HTTP front end.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "collector/exporter/baseline_collector.h"
#include "collector/exporter/callsite_collector.h"
#include "collector/exporter/dropped_series.h"
#include "collector/exporter/heap_page.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/http_server.h"
#include "collector/exporter/metric_names.h"
#include "collector/exporter/obituary_collector.h"
#include "collector/exporter/python_collector.h"
#include "collector/exporter/registry.h"
#include "collector/exporter/response_collector.h"
#include "collector/exporter/system_source.h"
#include "collector/leaks/host_leaks.h"
#include "collector/logs/log_watch.h"
#include "collector/tags/application_metrics.h"

namespace heapledger::collector {

struct EndpointOptions {
  HeapPageOptions heap;
  std::size_t max_callsites = kDefaultMaxCallsites;  // per process
  MetricNames names = MetricNames::kSeed;
  std::vector<ApplicationMetric> application = DefaultApplicationMetrics();
  // Without a sample for this long /-/healthy says so with a 503. Long, as the
  // first look at a large program reads its debug information.
  std::chrono::milliseconds stuck_after{300000};
};

// Puts /, /metrics, /metrics/memory, /metrics/python, /metrics/gc,
// /metrics/callsites, /debug/pprof/heap, /api/v1/leaks, /-/healthy and /-/ready
// on a server.
//
// Thread safety: the constructor before HttpServer::Start(); it must outlive
// the server's running.
class Endpoints {
 public:
  Endpoints(const EndpointOptions& options, const HostSource* source,
            const SystemSource* system, const HostLeaks* leaks,
            HttpServer* server);

  // What collect does only if asked to: their families on the page of memory,
  // /api/v1/logs and /api/v1/baseline. Before HttpServer::Start(); `watch` must
  // outlive the server's running.
  void AddLogs(const logs::LogWatch* watch, HttpServer* server);
  void AddBaseline(const BaselineSource& baseline, HttpServer* server);
  // Also /api/v1/response, and /webhooks/memory-alerts for Alertmanager.
  void AddResponse(const ResponseSource& response, HttpServer* server);

  void AddObituaries(const ObituarySource& obituaries);

  // The families of interpreters, on the pages of Python and of collections.
  // Before HttpServer::Start(); `outside` must outlive the server's running.
  void AddPython(const PythonSource* outside, ObjectsAlias alias);

  // Ends the waiting of requests; before HttpServer::Stop().
  void Stop() { heap_.Stop(); }

  [[nodiscard]] const MetricRegistry& registry() const { return registry_; }

 private:
  void AddPage(const char* path, std::string page, HttpServer* server);
  HttpResponse MetricsPage(const std::string& page,
                           const HttpRequest& request) const;
  HttpResponse Leaks() const;
  HttpResponse Healthy() const;
  HttpResponse Ready() const;
  std::string HealthLine() const;

  EndpointOptions options_;
  const HostSource* source_;
  const HostLeaks* leaks_;
  HeapPage heap_;
  DroppedSeries dropped_;
  MetricRegistry registry_;
  const std::uint64_t started_ns_;
};

}  // namespace heapledger::collector
