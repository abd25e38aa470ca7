// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 front end of `heapledger collect`, plain or over TLS.
//
// One I/O thread holds every connection, each with a deadline on every step, so
// that clients that are slow, silent or half-open cost a descriptor for some
// seconds and nothing else; work that takes long runs on a few worker threads.
// Paths are compared whole with the routes and are never opened as files. Boost
// is an affair of http_server.cc alone.
//
// Where there are users or tokens, whoever is not allowed to read gets a 401
// before it is told which pages exist.
//
// Thread safety: Handle() before Start(); then stats() and Stop() from any
// thread. Handlers run where their route says, several at once on the workers.
// Stop() waits for handlers that run, so a handler must end within a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "collector/exporter/body_sink.h"
#include "collector/exporter/listen_address.h"

namespace heapledger::collector {

enum class HttpMethod { kGet, kPost };  // A GET route answers HEAD as well.

struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  std::string path;   // as sent: never decoded, never a file's name
  std::string query;  // what follows the '?', undecoded
  std::string body;
  // Accept, Content-Type, If-None-Match and X-Heapledger-Signature as far as
  // sent, by names in lower case.
  std::map<std::string, std::string, std::less<>> headers;
  // Who sent it has shown a password, a token or a certificate: false where
  // nobody is asked for one.
  bool authenticated = false;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  // Makes the body of a 200 in pieces, instead of `body`; called once, right
  // after the handler and on its thread.
  std::function<void(BodySink*)> write_body = nullptr;
  // Further headers; names and values must be fit for the wire.
  HttpHeaders headers;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

enum class RunOn {
  kIoThread,  // for answers that cost microseconds
  kWorker,
  // On a worker; requests with the same path, query and Accept that come while
  // one is under way get its answer. The handler must look at nothing else.
  kWorkerShared,
  // On one of three threads that do nothing else: for answers that take
  // seconds. The handler must refuse what would keep all three busy.
  kSlowWorker,
};

enum class Access {
  kGuarded,  // for who is allowed to read
  kOpen,     // for everybody who can connect: must tell nothing
};

struct HttpServerOptions {
  std::vector<ListenAddress> listen;

  // Both set: every TCP address speaks TLS (1.2 or later); PEM files. Or in the
  // web configuration file, see web_config.h.
  std::string tls_certificate_file;
  std::string tls_key_file;
  std::string web_config_file;
  std::string bearer_token_file;
  // Addresses that other hosts can reach are refused without TLS and
  // authentication unless set.
  bool allow_exposed = false;
  // Gets a sentence about each change of those files that cannot be used.
  std::function<void(const std::string&)> log;

  std::chrono::milliseconds header_timeout{5000};  // also for a TLS handshake
  std::chrono::milliseconds idle_timeout{30000};   // between two requests
  std::chrono::milliseconds write_timeout{10000};  // of one whole response
  std::chrono::milliseconds body_timeout{10000};

  // At the cap the connection that has waited longest makes room for a new one;
  // if all are being answered, the new one is refused with 503.
  std::size_t max_connections = 1024;
  std::size_t max_header_bytes = 16 << 10;
  std::size_t max_body_bytes = 1 << 20;  // of a POST
  std::size_t workers = 2;
  std::size_t max_queued_requests = 256;
  // Bodies that are made or on their way; beyond it requests get a 503.
  std::size_t max_pending_bytes = 256 << 20;
};

struct HttpServerStats {
  std::uint64_t connections = 0;  // open at this moment
  std::uint64_t accepted_total = 0;
  std::uint64_t refused_total = 0;  // 503 for want of a free connection
  std::uint64_t evicted_total = 0;  // closed to make room
  std::uint64_t timeouts_total = 0;
  std::map<int, std::uint64_t> responses_total;  // by status
  std::uint64_t failed_reloads_total = 0;  // of TLS and authentication files
};

class HttpServer {
 public:
  class Impl;

  explicit HttpServer(HttpServerOptions options);
  ~HttpServer();

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void Handle(std::string path, HttpMethod method, RunOn where,
              HttpHandler handler, Access access = Access::kGuarded);

  // Binds every address and starts to serve. On error nothing is left running;
  // the message names the address, the reason and the remedy.
  [[nodiscard]] absl::Status Start();

  // Stops to accept, drops idle connections, gives responses that are under way
  // half a second. A second call does nothing.
  void Stop();

  // What was bound, with the ports that the kernel chose, in order of
  // `options.listen`; e.g. `http://127.0.0.1:9797`.
  [[nodiscard]] std::vector<std::string> urls() const;
  [[nodiscard]] std::vector<std::uint16_t> ports() const;

  [[nodiscard]] HttpServerStats stats() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace heapledger::collector
