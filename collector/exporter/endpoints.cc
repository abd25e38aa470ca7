// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/endpoints.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/exporter/callsite_info_collector.h"
#include "collector/exporter/exposition_format.h"
#include "collector/exporter/host_memory_collector.h"
#include "collector/exporter/landing_page.h"
#include "collector/exporter/leak_collector.h"
#include "collector/exporter/log_collector.h"
#include "collector/exporter/process_collector.h"
#include "collector/exporter/process_memory_collector.h"
#include "collector/exporter/request_collector.h"
#include "collector/exporter/self_collector.h"
#include "collector/exporter/tag_collector.h"

namespace heapledger::collector {
namespace {

// The clock of HostView::taken_monotonic_ns.
std::uint64_t MonotonicNs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

// The start of the time that ?hours=N asks for; 0 without it. None for what is
// no number of hours.
std::optional<std::uint64_t> SinceOf(std::string_view query) {
  if (query.empty()) return 0;
  constexpr std::string_view kHours = "hours=";
  double hours = 0;
  if (!query.starts_with(kHours) ||
      !absl::SimpleAtod(std::string(query.substr(kHours.size())), &hours) ||
      !(hours > 0 && hours < 1e6)) {
    return std::nullopt;
  }
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  return static_cast<std::uint64_t>(
      std::max(1.0, static_cast<double>(now) - hours * 3600e9));
}

HttpResponse JsonAnswer(std::string body) {
  HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

HttpResponse Text(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace

Endpoints::Endpoints(const EndpointOptions& options, const HostSource* source,
                     const SystemSource* system, const HostLeaks* leaks,
                     HttpServer* server)
    : options_(options),
      source_(source),
      leaks_(leaks),
      heap_(options.heap),
      registry_(&dropped_),
      started_ns_(MonotonicNs()) {
  registry_.Add("self", MakeSelfCollector(
                            source, system,
                            [server] { return server->stats(); }, &dropped_));
  registry_.Add("memory", MakeProcessCollector(source));
  registry_.Add("memory", MakeHostMemoryCollector(system, options.names));
  registry_.Add("memory", MakeProcessMemoryCollector(system, options.names));
  registry_.Add("memory", MakeRequestCollector(source));
  registry_.Add("callsites", MakeCallsiteCollector(
                                 source, options.max_callsites, &dropped_));
  registry_.Add(
      "callsites",
      MakeLeakCollector(source, leaks, options.max_callsites, &dropped_));
  registry_.Add("callsites", MakeCallsiteInfoCollector(source, leaks,
                                                       options.max_callsites));
  registry_.Add("memory", MakeTagCollector(source, options.application));
  AddPage("/metrics", "", server);
  AddPage("/metrics/memory", "memory", server);
  AddPage("/metrics/python", "python", server);
  AddPage("/metrics/gc", "gc", server);
  AddPage("/metrics/callsites", "callsites", server);
  server->Handle(
      "/", HttpMethod::kGet, RunOn::kWorkerShared, [this](const HttpRequest&) {
        HttpResponse response;
        response.content_type = "text/html; charset=utf-8";
        response.body = RenderLandingPage(*source_->host(), HealthLine());
        response.headers.emplace_back(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'");
        return response;
      });
  server->Handle(
      "/debug/pprof/heap", HttpMethod::kGet, RunOn::kSlowWorker,
      [this](const HttpRequest& request) { return heap_.Answer(request); });
  server->Handle("/api/v1/leaks", HttpMethod::kGet, RunOn::kSlowWorker,
                 [this](const HttpRequest&) { return Leaks(); });
  server->Handle(
      "/-/healthy", HttpMethod::kGet, RunOn::kIoThread,
      [this](const HttpRequest&) { return Healthy(); }, Access::kOpen);
  server->Handle(
      "/-/ready", HttpMethod::kGet, RunOn::kIoThread,
      [this](const HttpRequest&) { return Ready(); }, Access::kOpen);
}

void Endpoints::AddLogs(const logs::LogWatch* watch, HttpServer* server) {
  registry_.Add("memory", MakeLogCollector(source_, watch));
  server->Handle("/api/v1/logs", HttpMethod::kGet, RunOn::kWorker,
                 [watch](const HttpRequest& request) {
                   const auto since = SinceOf(request.query);
                   if (since) return JsonAnswer(RenderLogs(*watch, *since));
                   return Text(400,
                               "give the hours to look back as ?hours=N\n");
                 });
}

void Endpoints::AddBaseline(const BaselineSource& baseline,
                            HttpServer* server) {
  registry_.Add("memory", MakeBaselineCollector(baseline));
  server->Handle("/api/v1/baseline", HttpMethod::kGet, RunOn::kWorkerShared,
                 [document = baseline.document](const HttpRequest&) {
                   return JsonAnswer(*document());
                 });
}

void Endpoints::AddResponse(const ResponseSource& response,
                            HttpServer* server) {
  registry_.Add("memory", MakeResponseCollector(response));
  server->Handle("/api/v1/response", HttpMethod::kGet, RunOn::kWorkerShared,
                 [view = response.view](const HttpRequest&) {
                   return JsonAnswer(RenderResponse(*view()));
                 });
  server->Handle("/webhooks/memory-alerts", HttpMethod::kPost, RunOn::kWorker,
                 [webhook = response.webhook](const HttpRequest& request) {
                   const auto signature =
                       request.headers.find("x-heapledger-signature");
                   auto answer = webhook->Take(
                       {.body = request.body,
                        .signature = signature == request.headers.end()
                                         ? std::string_view()
                                         : std::string_view(signature->second),
                        .authenticated = request.authenticated},
                       std::chrono::steady_clock::now().time_since_epoch());
                   return Text(answer.status, std::move(answer.text));
                 });
}

void Endpoints::AddObituaries(const ObituarySource& obituaries) {
  registry_.Add("memory", MakeObituaryCollector(obituaries));
}

void Endpoints::AddPython(const PythonSource* outside, ObjectsAlias alias) {
  registry_.Add("python",
                MakePythonCollector(source_, outside, options_.names, alias));
  registry_.Add("gc", MakePythonGcCollector(source_, outside, options_.names));
}

void Endpoints::AddPage(const char* path, std::string page,
                        HttpServer* server) {
  server->Handle(path, HttpMethod::kGet, RunOn::kWorkerShared,
                 [this, page = std::move(page)](const HttpRequest& request) {
                   return MetricsPage(page, request);
                 });
}

HttpResponse Endpoints::MetricsPage(const std::string& page,
                                    const HttpRequest& request) const {
  const auto accept = request.headers.find("accept");
  const ExpositionFormat format =
      ChooseFormat(accept == request.headers.end() ? "" : accept->second);
  HttpResponse response;
  response.content_type = ContentTypeOf(format);
  response.headers.emplace_back("Vary", "Accept");
  response.write_body = [this, &page, format](BodySink* sink) {
    registry_.Write(page, format, sink);
  };
  return response;
}

HttpResponse Endpoints::Leaks() const {
  HttpResponse response;
  response.content_type = "application/json";
  response.body =
      RenderLeaks(*source_->host(), *leaks_->view(), *options_.heap.names);
  return response;
}

HttpResponse Endpoints::Healthy() const {
  const std::uint64_t last = std::max(source_->last_sample_ns(), started_ns_);
  const std::uint64_t now = MonotonicNs();
  const std::chrono::nanoseconds age(now > last ? now - last : 0);
  if (age <= options_.stuck_after) return Text(200, "healthy\n");
  return Text(503,
              absl::StrCat(
                  "no sample for ",
                  std::chrono::duration_cast<std::chrono::seconds>(age).count(),
                  " s: the sampler hangs; restart the collector\n"));
}

std::string Endpoints::HealthLine() const {
  std::string line = Healthy().status == 200 ? "healthy" : "the sampler hangs";
  const std::uint64_t last = source_->last_sample_ns();
  if (last == 0) return line + ", the first sample is under way";
  const std::uint64_t now = MonotonicNs();
  absl::StrAppendFormat(&line, ", last sample %.1f s ago",
                        now > last ? static_cast<double>(now - last) / 1e9 : 0);
  return line;
}

HttpResponse Endpoints::Ready() const {
  if (source_->last_sample_ns() != 0) return Text(200, "ready\n");
  return Text(503, "not ready: the first sample is under way\n");
}

}  // namespace heapledger::collector
