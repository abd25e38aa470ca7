// SPDX-License-Identifier: Apache-2.0
// The one translation unit that compiles Boost.Beast.
#include "collector/exporter/http_server.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <iterator>

#include "collector/exporter/http_core.h"
#include "collector/exporter/http_listener.h"
#include "collector/exporter/http_session.h"

namespace heapledger::collector {
namespace {

// What a response under way may take when the server stops.
constexpr std::chrono::milliseconds kStopGrace{500};
// Before the next try to accept after one that failed.
constexpr std::chrono::milliseconds kAcceptRetry{50};

}  // namespace

WebGuardOptions HttpServer::Impl::GuardOptions(
    const HttpServerOptions& options) {
  WebGuardOptions guard;
  guard.web_config_file = options.web_config_file;
  guard.tls_certificate_file = options.tls_certificate_file;
  guard.tls_key_file = options.tls_key_file;
  guard.bearer_token_file = options.bearer_token_file;
  guard.exposed = !options.allow_exposed &&
                  !std::ranges::all_of(options.listen, &ListenAddress::local);
  guard.log = options.log;
  return guard;
}

absl::Status HttpServer::Impl::Listen(const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::kUnix) {
    RemoveStaleSocket(ioc, address.host);
    Unix::acceptor acceptor(ioc);
    ErrorCode error = Bind(acceptor, Unix::endpoint(address.host));
    // Nobody can connect between bind and listen: the mode is set in time.
    if (!error) ::chmod(address.host.c_str(), 0600);
    if (!error)
      acceptor.listen(net::socket_base::max_listen_connections, error);
    if (error) return ListenError(address, error);
    urls.push_back(address.ToString());
    ports.push_back(0);
    listeners_.push_back(std::make_unique<Listener<Unix>>(
        *this, std::move(acceptor), address.host));
    return absl::OkStatus();
  }
  Tcp::acceptor acceptor(ioc);
  ErrorCode error =
      Bind(acceptor,
           Tcp::endpoint(net::ip::make_address(address.host), address.port));
  if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
  if (error) return ListenError(address, error);
  ListenAddress bound = address;
  bound.port = acceptor.local_endpoint().port();
  urls.push_back(
      absl::StrCat(guard_.tls() ? "https://" : "http://", bound.ToString()));
  ports.push_back(bound.port);
  listeners_.push_back(std::make_unique<Listener<Tcp>>(
      *this, std::move(acceptor), std::string()));
  return absl::OkStatus();
}

absl::Status HttpServer::Impl::LoadGuard() {
  absl::Status status = guard_.Load();
  if (!absl::IsFailedPrecondition(status)) return status;
  const auto exposed =
      std::ranges::find(options.listen, false, &ListenAddress::local);
  return absl::FailedPreconditionError(absl::StrCat(
      "listen on ", exposed->ToString(), ": ", std::string(status.message())));
}

absl::Status HttpServer::Impl::Start() {
  absl::Status status = LoadGuard();
  for (const ListenAddress& address : options.listen) {
    if (status.ok()) status = Listen(address);
  }
  if (!status.ok()) {
    listeners_.clear();
    urls.clear();
    ports.clear();
    return status;
  }
  running_ = true;
  io_thread_ = std::thread([this] { ioc.run(); });
  return absl::OkStatus();
}

void HttpServer::Impl::Stop() {
  if (!running_.exchange(false)) return;
  net::post(ioc, [this] { BeginStop(); });
  io_thread_.join();
  pool_.Stop();
  slow_pool_.Stop();
  password_pool_.Stop();
}

void HttpServer::Impl::BeginStop() {
  stopping = true;
  for (const auto& listener : listeners_) listener->Close();
  while (EvictOldestWaiting()) {
  }
  if (connections_.empty()) return;
  stop_timer_.expires_after(kStopGrace);
  stop_timer_.async_wait([this](const ErrorCode& error) {
    if (error) return;
    const std::vector<Connection*> rest(connections_.begin(),
                                        connections_.end());
    for (Connection* connection : rest) connection->Abort();
    ioc.stop();
  });
}

void HttpServer::Impl::Register(Connection& connection) {
  connections_.insert(&connection);
  const std::lock_guard lock(stats_mutex_);
  stats_.connections = connections_.size();
}

void HttpServer::Impl::Deregister(Connection& connection) {
  LeaveWaiting(connection);
  if (connections_.erase(&connection) == 0) return;
  {
    const std::lock_guard lock(stats_mutex_);
    stats_.connections = connections_.size();
  }
  if (stopping && connections_.empty()) stop_timer_.cancel();
}

void HttpServer::Impl::EnterWaiting(Connection& connection) {
  LeaveWaiting(connection);
  waiting_.push_back(&connection);
  connection.waiting_place = std::prev(waiting_.end());
}

void HttpServer::Impl::LeaveWaiting(Connection& connection) {
  if (!connection.waiting_place) return;
  waiting_.erase(*connection.waiting_place);
  connection.waiting_place.reset();
}

bool HttpServer::Impl::EvictOldestWaiting() {
  if (waiting_.empty()) return false;
  waiting_.front()->Abort();
  return true;
}

template <typename Socket>
void HttpServer::Impl::Admit(Socket socket) {
  const bool full = connections_.size() >= options.max_connections;
  const bool evicted = full && EvictOldestWaiting();
  {
    const std::lock_guard lock(stats_mutex_);
    ++(full && !evicted ? stats_.refused_total : stats_.accepted_total);
    if (evicted) ++stats_.evicted_total;
  }
  constexpr bool kIsTcp = std::is_same_v<Socket, Tcp::socket>;
  if (full && !evicted) {
    if (kIsTcp && guard_.tls()) return;  // It could not read the answer.
    const HttpAnswer answer = ErrorAnswer(503);
    ErrorCode ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(
        net::buffer(absl::StrCat(answer.head, "Connection: close\r\n\r\n",
                                 answer.body)),
        ignored);
    return;
  }
  std::shared_ptr<Connection> connection;
  if constexpr (kIsTcp) {
    ErrorCode ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    guard_.Refresh();
    if (guard_.tls()) {
      net::ssl::context tls(guard_.context().release());
      connection =
          std::make_shared<Session<TlsStream>>(*this, std::move(socket), tls);
    } else {
      connection =
          std::make_shared<Session<TcpStream>>(*this, std::move(socket));
    }
  } else {
    connection =
        std::make_shared<Session<UnixStream>>(*this, std::move(socket));
  }
  connection->Start();
}

// Most likely descriptors ran out: give one back and come again.
void HttpServer::Impl::RetryAccept(std::function<void()> accept) {
  EvictOldestWaiting();
  auto timer = std::make_shared<net::steady_timer>(ioc, kAcceptRetry);
  timer->async_wait(
      [this, timer, accept = std::move(accept)](const ErrorCode&) {
        if (!stopping) accept();
      });
}

HttpAnswer HttpServer::Impl::Run(const HttpHandler& handler,
                                 const HttpRequest& request,
                                 Encoding accepted) {
  // A handler that throws is our fault and costs one response, not the server.
  try {
    return MakeAnswer(handler(request), accepted);
  } catch (const std::exception&) {
    return ErrorAnswer(500);
  }
}

void HttpServer::Impl::Dispatch(const std::shared_ptr<Connection>& connection,
                                const HttpRoute& route, HttpRequest request,
                                Encoding accepted) {
  if (route.where == RunOn::kIoThread) {
    return connection->Reply(std::make_shared<const HttpAnswer>(
        Run(route.handler, request, accepted)));
  }
  // None of these can contain a line feed, so keys of both kinds never meet.
  std::string flight =
      route.where == RunOn::kWorkerShared
          ? absl::StrCat(request.path, "\n", request.query, "\n",
                         accepted == Encoding::kGzip ? "gzip" : "", "\n",
                         request.headers["accept"])
          : absl::StrCat("\n", next_flight_++);
  const auto [place, is_new] = flights_.try_emplace(flight);
  place->second.push_back(connection);
  if (!is_new) return;
  if (*pending_bytes_ > options.max_pending_bytes) {
    return Land(flight, MakeError(503));
  }
  WorkerPool& pool = route.where == RunOn::kSlowWorker ? slow_pool_ : pool_;
  const bool queued = pool.TrySubmit(
      [this, flight, &route, request = std::move(request), accepted] {
        auto answer = Counted(Run(route.handler, request, accepted));
        net::post(ioc, [this, flight, answer = std::move(answer)] {
          Land(flight, answer);
        });
      });
  if (!queued) Land(flight, MakeError(503));
}

void HttpServer::Impl::Land(const std::string& flight,
                            const AnswerPtr& answer) {
  auto landed = flights_.extract(flight);
  if (landed.empty()) return;
  for (const std::shared_ptr<Connection>& connection : landed.mapped()) {
    connection->Reply(answer);
  }
}

// An answer whose body counts as pending for as long as anybody holds it.
AnswerPtr HttpServer::Impl::Counted(HttpAnswer answer) {
  const std::size_t bytes = answer.body.size();
  *pending_bytes_ += bytes;
  return AnswerPtr(new HttpAnswer(std::move(answer)),
                   [pending = pending_bytes_, bytes](const HttpAnswer* held) {
                     *pending -= bytes;
                     delete held;
                   });
}

void HttpServer::Impl::Authenticate(
    const std::shared_ptr<Connection>& connection,
    const std::string& authorization, const std::string& peer) {
  using Verdict = Authenticator::Verdict;
  const auto now = WebGuard::Clock::now();
  guard_.Refresh();
  if (!guard_.TakeRate(now)) return connection->Reply(MakeError(429));
  PasswordCheck check;
  switch (guard_.authenticator().Decide(authorization, peer, now, &check)) {
    case Verdict::kYes:
      return connection->Proceed();
    case Verdict::kNo:
      return RefuseUnknown(*connection);
    case Verdict::kTooMany:
      return connection->Reply(MakeError(429, {{"Retry-After", "60"}}));
    case Verdict::kCheck:
      break;
  }
  auto shared = std::make_shared<const PasswordCheck>(std::move(check));
  const bool queued = password_pool_.TrySubmit([this, connection, shared] {
    const bool fits = shared->Fits();
    net::post(ioc, [this, connection, shared, fits] {
      guard_.authenticator().Learn(*shared, fits, WebGuard::Clock::now());
      if (fits) return connection->Proceed();
      RefuseUnknown(*connection);
    });
  });
  if (queued) return;
  guard_.authenticator().Forget(*shared, now);
  connection->Reply(MakeError(503));
}

void HttpServer::Impl::RefuseUnknown(Connection& connection) {
  HttpHeaders headers;
  for (std::string& challenge : guard_.authenticator().Challenges()) {
    headers.emplace_back("WWW-Authenticate", std::move(challenge));
  }
  connection.Reply(MakeError(401, std::move(headers)));
}

void HttpServer::Impl::CountResponse(int status) {
  const std::lock_guard lock(stats_mutex_);
  ++stats_.responses_total[status];
  stats_.failed_reloads_total = guard_.failed_reloads();
}

void HttpServer::Impl::CountTimeout() {
  const std::lock_guard lock(stats_mutex_);
  ++stats_.timeouts_total;
}

HttpServerStats HttpServer::Impl::stats() const {
  const std::lock_guard lock(stats_mutex_);
  return stats_;
}

HttpServer::HttpServer(HttpServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpServer::~HttpServer() = default;

void HttpServer::Handle(std::string path, HttpMethod method, RunOn where,
                        HttpHandler handler, Access access) {
  impl_->router.Add(std::move(path), method, where, std::move(handler), access);
}

absl::Status HttpServer::Start() { return impl_->Start(); }
void HttpServer::Stop() { impl_->Stop(); }
std::vector<std::string> HttpServer::urls() const { return impl_->urls; }
std::vector<std::uint16_t> HttpServer::ports() const { return impl_->ports; }
HttpServerStats HttpServer::stats() const { return impl_->stats(); }

}  // namespace heapledger::collector
