// SPDX-License-Identifier: Apache-2.0
// Part of http_server.cc: what its pieces share, and the server's state.
//
// Everything but Run() and stats() happens on the one I/O thread, so nothing
// else is locked.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "collector/exporter/http_answer.h"
#include "collector/exporter/http_router.h"
#include "collector/exporter/http_server.h"
#include "collector/exporter/web_guard.h"
#include "collector/exporter/worker_pool.h"

namespace heapledger::collector {

namespace net = boost::asio;
using Tcp = net::ip::tcp;
using Unix = net::local::stream_protocol;
using ErrorCode = boost::system::error_code;
using AnswerPtr = std::shared_ptr<const HttpAnswer>;

[[nodiscard]] inline AnswerPtr MakeError(int status, HttpHeaders headers = {}) {
  return std::make_shared<const HttpAnswer>(
      ErrorAnswer(status, std::move(headers)));
}

struct Closer {
  virtual ~Closer() = default;
  virtual void Close() = 0;
};

// What the server's core knows of a connection.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  virtual ~Connection() = default;
  virtual void Start() = 0;
  virtual void Reply(AnswerPtr answer) = 0;
  // The client may read what it asked for.
  virtual void Proceed() = 0;
  virtual void Abort() = 0;  // closes the socket without a word

  // Place among the waiting ones, oldest first.
  std::optional<std::list<Connection*>::iterator> waiting_place;
};

class HttpServer::Impl {
 public:
  explicit Impl(HttpServerOptions requested)
      : options(std::move(requested)),
        stop_timer_(ioc),
        pool_(options.workers, options.max_queued_requests),
        slow_pool_(kSlowWorkers, options.max_queued_requests),
        password_pool_(1, kMaxQueuedPasswords),
        guard_(GuardOptions(options)) {}
  ~Impl() {
    Stop();
    flights_.clear();
  }

  absl::Status Start();
  void Stop();

  // Called by connections.
  void Register(Connection& connection);
  void Deregister(Connection& connection);
  void EnterWaiting(Connection& connection);
  void LeaveWaiting(Connection& connection);
  void Dispatch(const std::shared_ptr<Connection>& connection,
                const HttpRoute& route, HttpRequest request, Encoding accepted);
  // Calls Proceed() or replies, now or when a password has been checked. `peer`
  // is the client's address.
  void Authenticate(const std::shared_ptr<Connection>& connection,
                    const std::string& authorization, const std::string& peer);
  // Whether who passed Authenticate() had to show who it is; `tls`: over a
  // connection that has TLS.
  bool KnowsClients(bool tls) { return guard_.KnowsClients(tls); }
  // Headers that every response has beyond its own.
  const HttpHeaders& extra_headers() const { return guard_.headers(); }
  void CountResponse(int status);
  void CountTimeout();

  // Called by listeners.
  template <typename Socket>
  void Admit(Socket socket);
  void RetryAccept(std::function<void()> accept);

  HttpServerStats stats() const;

  const HttpServerOptions options;
  HttpRouter router;
  std::vector<std::string> urls;
  std::vector<std::uint16_t> ports;
  bool stopping = false;

 private:
  static WebGuardOptions GuardOptions(const HttpServerOptions& options);
  absl::Status LoadGuard();
  void RefuseUnknown(Connection& connection);
  AnswerPtr Counted(HttpAnswer answer);
  absl::Status Listen(const ListenAddress& address);
  bool EvictOldestWaiting();
  void BeginStop();
  HttpAnswer Run(const HttpHandler& handler, const HttpRequest& request,
                 Encoding accepted);
  void Land(const std::string& flight, const AnswerPtr& answer);

  // Connections outlive nothing here: they die with `ioc`, which therefore
  // comes after what their destructors touch.
  std::unordered_set<Connection*> connections_;
  std::list<Connection*> waiting_;
  mutable std::mutex stats_mutex_;
  HttpServerStats stats_;

 public:
  net::io_context ioc{1};

 private:
  net::steady_timer stop_timer_;
  std::vector<std::unique_ptr<Closer>> listeners_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Connection>>>
      flights_;
  std::uint64_t next_flight_ = 0;
  WorkerPool pool_;
  static constexpr std::size_t kSlowWorkers = 3;
  WorkerPool slow_pool_;
  // One thread: bcrypt is meant to be dear, and guesses must not have more.
  static constexpr std::size_t kMaxQueuedPasswords = 64;
  WorkerPool password_pool_;
  WebGuard guard_;
  // Outlives us with the answers that it counts.
  std::shared_ptr<std::atomic<std::size_t>> pending_bytes_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::thread io_thread_;
  std::atomic<bool> running_ = false;
};

}  // namespace heapledger::collector
