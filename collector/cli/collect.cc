// SPDX-License-Identifier: Apache-2.0
// heapledger collect: the sidecar that samples every ledger and serves metrics
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/baseline_keeper.h"
#include "collector/cli/collect_loop.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/log_options.h"
#include "collector/cli/obituary_keeper.h"
#include "collector/cli/response_loop.h"
#include "collector/cli/response_options.h"
#include "collector/cli/settings.h"
#include "collector/cli/suspect_options.h"
#include "collector/cli/system_loop.h"
#include "collector/cli/tag_options.h"
#include "collector/cli/verb.h"
#include "collector/exporter/endpoints.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/http_server.h"
#include "collector/exporter/listen_address.h"
#include "collector/tags/tagger.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::size_t kMaxConnections = 1024;
// What the sampler may take to end before the process ends without it.
constexpr std::chrono::milliseconds kSamplerPatience{300};
// And what a last write of the baseline may take.
constexpr std::chrono::milliseconds kKeeperPatience{2000};

struct Arguments {
  std::vector<std::string> listen = {"127.0.0.1:9797"};
  std::string directory;
  std::string tls_certificate;
  std::string tls_key;
  std::string web_config;
  std::string bearer_token_file;
  double interval_seconds = 1;
  std::size_t top = 20;
  std::vector<std::string> watch;
  MetricNames names = MetricNames::kSeed;
  SuspectArguments suspects;
  LogArguments logs;
  ResponseArguments response;
  std::string memory_baseline;
  std::string tags;
  obituary::StoreOptions obituaries;
  bool python_objects_alias = false;
  bool insecure = false;
};

// One connection, one descriptor: half of what we may have goes to clients.
std::size_t ConnectionLimit() {
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return kMaxConnections / 4;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  ::getrlimit(RLIMIT_NOFILE, &files);
  return std::clamp<std::size_t>(files.rlim_cur / 2, 8, kMaxConnections);
}

absl::StatusOr<HttpServerOptions> ServerOptions(const Arguments& arguments) {
  HttpServerOptions options;
  for (const std::string& text : arguments.listen) {
    absl::StatusOr<ListenAddress> address = ParseListenAddress(text);
    if (!address.ok()) return address.status();
    options.listen.push_back(*std::move(address));
  }
  options.tls_certificate_file = arguments.tls_certificate;
  options.tls_key_file = arguments.tls_key;
  options.web_config_file = arguments.web_config;
  options.bearer_token_file = arguments.bearer_token_file;
  options.log = [](const std::string& why) { Fail("collect", why); };
  options.allow_exposed = arguments.insecure;
  options.max_connections = ConnectionLimit();
  return options;
}

std::chrono::nanoseconds Interval(const Arguments& arguments) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(arguments.interval_seconds));
}

CollectLoopOptions LoopOptions(const Arguments& arguments) {
  CollectLoopOptions options;
  options.discovery = DiscoveryFor(arguments.directory);
  options.accounts.top_limit = arguments.top;
  options.interval = Interval(arguments);
  return options;
}

absl::StatusOr<LeakOptions> LeakOptionsFor(const Arguments& arguments) {
  LeakOptions options;
  // A floor is made of eight samples, however far apart they are.
  const double slower = std::max(arguments.interval_seconds, 1.0);
  options.base_width_ns = static_cast<std::uint64_t>(
      slower * static_cast<double>(options.base_width_ns));
  absl::StatusOr<SuspectRules> rules = RulesFor(arguments.suspects);
  if (!rules.ok()) return rules.status();
  options.rules = *std::move(rules);
  return options;
}

// The process that a request names; the only one where it names none.
absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> TakeFor(
    const DiscoveryOptions& options, const HostSource& source,
    const std::string& pid) {
  if (!pid.empty()) return FindLedger(options, pid);
  const auto host = source.host();
  if (host->processes.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        host->processes.size(),
        " measured programs run; give one as ?pid=PID, / lists them"));
  }
  return FindLedger(options,
                    absl::StrCat(host->processes[0]->snapshot->identity.pid));
}

// An answer that is under way can take seconds, and nobody will read it.
void EndAnyway(std::chrono::milliseconds more) {
  std::thread([more] {
    std::this_thread::sleep_for(3 * kSamplerPatience + kKeeperPatience + more);
    std::_Exit(kDone);
  }).detach();
}

EndpointOptions PageOptions(const Arguments& arguments, const TagConfig& tags,
                            FrameNames* names, const HostSource* source) {
  EndpointOptions options;
  options.heap.names = names;
  options.heap.take = [discovery = DiscoveryFor(arguments.directory), source,
                       names, rules = tags.rules](const std::string& pid)
      -> absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> {
    auto snapshot = TakeFor(discovery, *source, pid);
    if (!snapshot.ok()) return snapshot;
    return Tagger(rules, names).Apply(*std::move(snapshot));
  };
  options.application = tags.metrics;
  options.names = arguments.names;
  // Hysteresis keeps up to twice the number asked for.
  options.max_callsites = std::max(options.max_callsites, 2 * arguments.top);
  options.stuck_after = std::max(
      options.stuck_after, std::chrono::milliseconds(static_cast<std::int64_t>(
                               arguments.interval_seconds * 20'000)));
  return options;
}

// How much more memory a process can have, as of the last look at the system.
std::function<std::optional<std::uint64_t>(std::uint32_t)> HeadroomFrom(
    const SystemSource* system) {
  return [system](std::uint32_t pid) -> std::optional<std::uint64_t> {
    const auto view = system->view();
    const auto target =
        std::ranges::find(view->targets, pid, &TargetSample::pid);
    if (target == view->targets.end()) return std::nullopt;
    return target->headroom;
  };
}

// Null where no baseline is asked for.
absl::StatusOr<std::unique_ptr<BaselineKeeper>> KeeperFor(
    const Arguments& arguments, const HostSource* source,
    const SystemSource* system, const HostLeaks* leaks,
    std::function<void(const std::string&)> log) {
  if (arguments.memory_baseline.empty()) return nullptr;
  BaselineKeeperOptions options;
  options.path = arguments.memory_baseline;
  options.interval = std::max<std::chrono::nanoseconds>(
      options.interval, LoopOptions(arguments).interval);
  return BaselineKeeper::Make(options, source, system, leaks, std::move(log));
}

// Null where no obituaries are asked for.
absl::StatusOr<std::unique_ptr<ObituaryKeeper>> ObituariesFor(
    const Arguments& arguments, const HostSource* source,
    const SystemSource* system, const HostLeaks* leaks, FrameNames* names,
    std::function<void(const std::string&)> log) {
  if (arguments.obituaries.directory.empty()) return nullptr;
  ObituaryKeeperOptions options;
  options.store = arguments.obituaries;
  options.interval = Interval(arguments);
  return ObituaryKeeper::Make(options, source, system, leaks, names,
                              std::move(log));
}

// Blocks the signals that end us in this thread and all that it will start.
sigset_t HoldEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A log that nobody reads any more is no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// How Prometheus names us in its label `instance`: by any address or name of
// this host and a port of ours.
std::vector<std::string> InstancesOf(const HttpServer& server) {
  std::vector<std::string> hosts = {"localhost"};
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0) hosts.emplace_back(name);
  ifaddrs* interfaces = nullptr;
  if (::getifaddrs(&interfaces) == 0) {
    for (const ifaddrs* each = interfaces; each != nullptr;
         each = each->ifa_next) {
      char text[NI_MAXHOST] = {};
      if (each->ifa_addr == nullptr) continue;
      const int family = each->ifa_addr->sa_family;
      const socklen_t size = family == AF_INET    ? sizeof(sockaddr_in)
                             : family == AF_INET6 ? sizeof(sockaddr_in6)
                                                  : 0;
      if (size == 0 || ::getnameinfo(each->ifa_addr, size, text, sizeof text,
                                     nullptr, 0, NI_NUMERICHOST) != 0) {
        continue;
      }
      hosts.push_back(family == AF_INET6 ? absl::StrCat("[", text, "]")
                                         : std::string(text));
    }
    ::freeifaddrs(interfaces);
  }
  std::vector<std::string> instances;
  for (const std::uint16_t port : server.ports()) {
    for (const std::string& host : hosts) {
      instances.push_back(absl::StrCat(host, ":", port));
    }
  }
  return instances;
}

void Announce(const HttpServer& server) {
  std::string line = "heapledger: collect: serving";
  for (const std::string& url : server.urls()) {
    line += " " + url + (url.starts_with("unix:") ? "" : "/metrics");
  }
  std::fprintf(stderr, "%s\n", line.c_str());
}

int Run(const Arguments& arguments, const CommandLine& line) {
  const absl::StatusOr<HttpServerOptions> options = ServerOptions(arguments);
  if (!options.ok()) {
    return Fail("collect", std::string(options.status().message()), kUsage);
  }
  absl::StatusOr<LeakOptions> leak_options = LeakOptionsFor(arguments);
  if (!leak_options.ok()) {
    return Fail("collect", std::string(leak_options.status().message()),
                kUsage);
  }
  const auto log = [](const std::string& why) { Fail("collect", why); };
  auto logs = LogWatchFor(arguments.logs, log);
  if (!logs.ok()) {
    return Fail("collect", std::string(logs.status().message()), kUsage);
  }
  auto plan = ResponsePlanFor(arguments.response);
  if (!plan.ok()) {
    return Fail("collect", std::string(plan.status().message()), kUsage);
  }
  absl::StatusOr<ProcessWatch> watch =
      ProcessWatch::Make(arguments.watch, "/proc");
  if (!watch.ok()) {
    return Fail("collect", std::string(watch.status().message()), kUsage);
  }
  const absl::StatusOr<TagConfig> tags = ReadTagConfig(arguments.tags);
  if (!tags.ok()) {
    return Fail("collect", std::string(tags.status().message()), kUsage);
  }
  const sigset_t end_signals = HoldEndSignals();
  HostSource source;
  SystemSource system;
  PythonSource python;
  HttpServer server(*options);
  leak_options->headroom = HeadroomFrom(&system);
  HostLeaks leaks(*leak_options);
  CollectLoopOptions loop_options = LoopOptions(arguments);
  loop_options.tag_rules = tags->rules;
  CollectLoop loop(loop_options, &source, &leaks, log);
  SystemLoop system_loop(SystemSampler({}, *std::move(watch)),
                         Interval(arguments), &source, &system,
                         &leaks.residents(), log);
  system_loop.WatchPython(&python);
  Endpoints pages(PageOptions(arguments, *tags, loop.names(), &source), &source,
                  &system, &leaks, &server);
  auto keeper = KeeperFor(arguments, &source, &system, &leaks, log);
  if (!keeper.ok()) {
    return Fail("collect", std::string(keeper.status().message()), kUsage);
  }
  std::unique_ptr<ResponseLoop> response;
  if (*plan) {
    response = std::make_unique<ResponseLoop>(
        **std::move(plan), &source, &system, &leaks,
        DiscoveryFor(arguments.directory), loop.names(), log);
    pages.AddResponse({.view = [&response] { return response->view(); },
                       .webhook = &response->webhook()},
                      &server);
  }
  auto obituaries =
      ObituariesFor(arguments, &source, &system, &leaks, loop.names(), log);
  if (!obituaries.ok()) {
    return Fail("collect", std::string(obituaries.status().message()), kUsage);
  }
  if (*obituaries != nullptr) {
    pages.AddObituaries([&obituaries] { return (*obituaries)->figures(); });
  }
  if (*logs != nullptr) pages.AddLogs(logs->get(), &server);
  if (*keeper != nullptr) pages.AddBaseline((*keeper)->View(), &server);
  pages.AddPython(&python, arguments.python_objects_alias ? ObjectsAlias::kYes
                                                          : ObjectsAlias::kNo);
  if (const absl::Status status = server.Start(); !status.ok()) {
    return Fail("collect", std::string(status.message()), kUsage);
  }
  loop.Start();
  system_loop.Start();
  if (*logs != nullptr) (*logs)->Start();
  if (*keeper != nullptr) (*keeper)->Start();
  if (response != nullptr) {
    response->webhook().AddInstances(InstancesOf(server));
    response->Start();
  }
  if (*obituaries != nullptr) (*obituaries)->Start();
  if (!line.quiet) Announce(server);

  int signal = 0;
  while (sigwait(&end_signals, &signal) != 0) {
  }
  EndAnyway(response == nullptr ? std::chrono::milliseconds(0)
                                : ResponseLoop::kUndoPatience);
  pages.Stop();
  server.Stop();
  system_loop.Stop();
  const bool undone =
      response == nullptr || response->Stop(ResponseLoop::kUndoPatience);
  // Nothing but the baseline needs saving: what counts lies in the ledgers.
  bool ended = *keeper == nullptr || (*keeper)->Stop(kKeeperPatience);
  ended &= *logs == nullptr || (*logs)->Stop(kSamplerPatience);
  ended &= *obituaries == nullptr || (*obituaries)->Stop(kSamplerPatience);
  ended &= loop.Stop(kSamplerPatience) && undone;
  if (!ended) std::_Exit(kDone);
  return kDone;
}

}  // namespace

Verb AddCollect(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "collect", "Serve the accounts of all measured programs to Prometheus");
  app->add_option("--listen", arguments->listen,
                  "Address to serve on, repeatable (default 127.0.0.1:9797); "
                  "[::1]:PORT and unix:/PATH too, port 0 takes any")
      ->allow_extra_args(false)
      ->type_name("ADDR:PORT");
  app->add_option("--interval", arguments->interval_seconds,
                  "Seconds between samples (default 1)")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->type_name("SECONDS");
  app->add_option("--top", arguments->top,
                  "Callsites with series of their own, per program (default "
                  "20); the rest is summed into _other")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N");
  app->add_option("--watch", arguments->watch,
                  "Show the memory of these processes too, measured or not; "
                  "a command's or executable's name, or a pid; repeatable")
      ->allow_extra_args(false)
      ->type_name("NAME|PID");
  app->add_option("--metric-names", arguments->names,
                  "Names of the system's and processes' metrics: seed "
                  "(memory_…, process_memory_…; default) or prefixed "
                  "(heapledger_memory_…)")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, MetricNames>{
                                      {"seed", MetricNames::kSeed},
                                      {"prefixed", MetricNames::kPrefixed}})
              .description(""))
      ->type_name("seed|prefixed");
  AddSuspectOptions(*app, arguments->suspects);
  AddLogOptions(*app, arguments->logs);
  AddResponseOptions(*app, arguments->response);
  app->add_option("--memory-baseline", arguments->memory_baseline,
                  "Learn the normal memory of all programs and keep it in this "
                  "file; see heapledger baseline --help")
      ->type_name("FILE");
  AddTagsOption(*app, arguments->tags);
  app->add_option("--obituaries", arguments->obituaries.directory,
                  "Seal every measured process that ends in this directory; "
                  "see heapledger postmortem --help")
      ->type_name("DIR");
  app->add_option("--obituary-keep", arguments->obituaries.keep,
                  "Obituaries to keep, the newest deaths (default 100)")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  app->add_option("--obituary-max-bytes", arguments->obituaries.max_bytes,
                  "Bytes that all of them may take (default 268435456)")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  app->add_flag("--python-objects-alias", arguments->python_objects_alias,
                "Serve python_memory_objects as python_memory_objects_total, "
                "too");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->add_option("--tls-cert", arguments->tls_certificate,
                  "Serve TLS with this certificate chain (PEM)")
      ->type_name("FILE");
  app->add_option("--tls-key", arguments->tls_key,
                  "The certificate's private key (PEM)")
      ->type_name("FILE");
  app->add_option("--web-config", arguments->web_config,
                  "TLS, users and headers in the file format of Prometheus' "
                  "exporters (--web.config.file)")
      ->type_name("FILE");
  app->add_option("--bearer-token-file", arguments->bearer_token_file,
                  "Let those read who send one of this file's lines as their "
                  "bearer token")
      ->type_name("FILE");
  app->add_flag("--insecure", arguments->insecure,
                "Let every other host read, and in plain text");
  app->footer("Example: heapledger collect --listen 127.0.0.1:9797");
  auto settings = std::make_shared<Settings>(*app, "collect");
  settings->AlsoFrom("dir", "HEAPLEDGER_DIR");
  settings->AlsoFrom("obituaries", "HEAPLEDGER_OBITUARIES");
  return {app, [arguments, settings, &line] {
            if (absl::Status status = settings->Load(); !status.ok()) {
              return FailWith("collect", status);
            }
            if (!settings->show_asked()) return Run(*arguments, line);
            std::fputs(settings->ToYaml().c_str(), stdout);
            return kDone;
          }};
}

}  // namespace heapledger::collector::cli
