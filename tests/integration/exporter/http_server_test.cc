// SPDX-License-Identifier: Apache-2.0
// The HTTP front end over loopback, on ports that the kernel chooses.
#include "collector/exporter/http_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/exporter/http_client.h"

namespace heapledger::collector {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Body = HttpClient::Body;

constexpr std::size_t kLargeBody = 8 << 20;

// Lets a test hold a handler until it has seen enough.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    wake_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool open_ = false;
};

std::string Unpack(const std::string& packed) {
  std::string text(1 << 20, '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return "";
  std::string input = packed;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const int result = inflate(&stream, Z_FINISH);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return result == Z_STREAM_END ? text : "";
}

ListenAddress Address(std::string_view text) {
  return ParseListenAddress(text).value();
}

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { options_.listen = {Address("127.0.0.1:0")}; }

  void Serve() {
    server_ = std::make_unique<HttpServer>(options_);
    server_->Handle("/metrics", HttpMethod::kGet, RunOn::kWorkerShared,
                    [this](const HttpRequest& request) {
                      ++renders_;
                      return HttpResponse{.body = "m " + request.query + "\n",
                                          .headers = {}};
                    });
    server_->Handle("/large", HttpMethod::kGet, RunOn::kWorker,
                    [](const HttpRequest&) {
                      return HttpResponse{.body = std::string(kLargeBody, 'x'),
                                          .headers = {}};
                    });
    server_->Handle(
        "/text", HttpMethod::kGet, RunOn::kWorker, [](const HttpRequest&) {
          return HttpResponse{.body = std::string(20000, 'y'), .headers = {}};
        });
    server_->Handle("/held", HttpMethod::kGet, RunOn::kWorkerShared,
                    [this](const HttpRequest&) {
                      ++renders_;
                      gate_.Pass();
                      return HttpResponse{.body = "held\n", .headers = {}};
                    });
    server_->Handle("/throws", HttpMethod::kGet, RunOn::kWorker,
                    [](const HttpRequest&) -> HttpResponse {
                      throw std::runtime_error("no");
                    });
    server_->Handle("/healthy", HttpMethod::kGet, RunOn::kIoThread,
                    [](const HttpRequest&) {
                      return HttpResponse{.body = "ok\n", .headers = {}};
                    });
    server_->Handle("/hook", HttpMethod::kPost, RunOn::kWorker,
                    [](const HttpRequest& request) {
                      return HttpResponse{
                          .body = std::to_string(request.body.size()),
                          .headers = {}};
                    });
    const absl::Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status;
  }

  HttpClient Client() { return HttpClient::ToIpv4(server_->ports().front()); }

  std::optional<ClientResponse> Get(std::string_view path,
                                    std::string_view headers = "") {
    HttpClient client = Client();
    client.Send(HttpText("GET", path, headers));
    return client.Read();
  }

  // Waits for what another thread brings about.
  template <typename Condition>
  static bool Within(milliseconds limit, Condition condition) {
    const auto deadline = steady_clock::now() + limit;
    while (!condition()) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
  }

  HttpServerOptions options_;
  Gate gate_;
  std::atomic<int> renders_ = 0;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
  Serve();
  HttpClient client = Client();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(HttpText("GET", "/metrics?a=b")));
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "m a=b\n");
    EXPECT_EQ(response->headers.at("connection"), "keep-alive");
  }
  EXPECT_EQ(server_->stats().accepted_total, 1U);
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("GET", "/metrics", "Connection: close\r\n"));
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_TRUE(client.SeesClose(seconds(2)));
}

TEST_F(HttpServerTest, ClosesAfterOneRequestOfHttp10) {
  Serve();
  HttpClient client = Client();
  client.Send("GET /metrics HTTP/1.0\r\n\r\n");
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(client.SeesClose(seconds(2)));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Serve();
  HttpClient client = Client();
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += HttpText("GET", "/metrics?" + std::to_string(i));
  }
  ASSERT_TRUE(client.Send(text));
  for (int i = 0; i < 20; ++i) {
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "m " + std::to_string(i) + "\n");
  }
}

TEST_F(HttpServerTest, AnswersHeadWithTheLengthAndNoBody) {
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("HEAD", "/text") + HttpText("GET", "/metrics"));
  const auto head = client.Read(Body::kNone);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->headers.at("content-length"), "20000");
  const auto next = client.Read();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->body, "m \n");
}

TEST_F(HttpServerTest, MatchesWholePathsOnly) {
  Serve();
  for (const char* path :
       {"/metricsX", "/metrics/", "/metrics/nonexistent", "/metric", "/",
        "/../etc/passwd", "/%6detrics", "//metrics"}) {
    const auto response = Get(path);
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 404) << path;
  }
}

TEST_F(HttpServerTest, TakesTheAbsoluteFormOfATarget) {
  Serve();
  const auto response = Get("http://test/metrics?q");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "m q\n");
}

TEST_F(HttpServerTest, SaysWhichMethodsAPageTakes) {
  Serve();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    HttpClient client = Client();
    client.Send(HttpText(method, "/metrics"));
    const auto response = client.Read();
    ASSERT_TRUE(response) << method;
    EXPECT_EQ(response->status, 405) << method;
    EXPECT_EQ(response->headers.at("allow"), "GET, HEAD");
  }
  const auto response = Get("/hook");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 405);
  EXPECT_EQ(response->headers.at("allow"), "POST");
}

TEST_F(HttpServerTest, RefusesAHeaderBeyondItsLimit) {
  Serve();
  for (const std::size_t size : {17UL << 10, 200UL << 10}) {
    HttpClient client = Client();
    client.Send(
        HttpText("GET", "/metrics", "X: " + std::string(size, 'a') + "\r\n"));
    const auto response = client.Read();
    ASSERT_TRUE(response) << size;
    EXPECT_EQ(response->status, 431);
    EXPECT_TRUE(client.SeesClose(seconds(3)));
  }
}

TEST_F(HttpServerTest, TakesAHeaderBelowItsLimit) {
  Serve();
  const auto response =
      Get("/metrics", "X: " + std::string(15 << 10, 'a') + "\r\n");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
}

TEST_F(HttpServerTest, RefusesADeclaredGibibyteAtItsHeader) {
  Serve();
  for (const char* method : {"GET", "POST"}) {
    HttpClient client = Client();
    client.Send(HttpText(method, "/hook", "Content-Length: 1073741824\r\n"));
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 413);
    EXPECT_TRUE(client.SeesClose(seconds(3)));
  }
}

TEST_F(HttpServerTest, StopsReadingAGibibyteInChunks) {
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("POST", "/hook", "Transfer-Encoding: chunked\r\n"));
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'a') + "\r\n";
  std::size_t sent = 0;
  while (sent < (1UL << 30) && client.Send(chunk)) sent += chunk.size();
  EXPECT_LT(sent, 64UL << 20);
}

TEST_F(HttpServerTest, ReadsThePostedBodyAndContinues) {
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("POST", "/hook", "Content-Length: 3\r\n") + "abc");
  EXPECT_EQ(client.Read().value_or(ClientResponse{}).body, "3");
  client.Send(HttpText("POST", "/hook",
                       "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(client.Read().value_or(ClientResponse{}).status, 100);
  client.Send("abcd");
  EXPECT_EQ(client.Read().value_or(ClientResponse{}).body, "4");
}

TEST_F(HttpServerTest, DoesNotTakeABodyNobodyReadsForARequest) {
  Serve();
  HttpClient client = Client();
  const std::string smuggled = HttpText("GET", "/text");
  client.Send(
      HttpText("GET", "/metrics",
               "Content-Length: " + std::to_string(smuggled.size()) + "\r\n") +
      smuggled);
  EXPECT_EQ(client.Read().value_or(ClientResponse{}).body, "m \n");
  EXPECT_FALSE(client.Read());
}

TEST_F(HttpServerTest, AnswersWhatIsNotHttpWithAnError) {
  Serve();
  struct Case {
    std::string text;
    int status;
  };
  for (const Case& bad : std::vector<Case>{
           {"hello\r\n\r\n", 400},
           {std::string("\0\1\2\3\r\n\r\n", 8), 400},
           {"GET /metrics HTTP/1.1\r\n\r\n", 400},  // no Host
           {"GET * HTTP/1.1\r\nHost: t\r\n\r\n", 404},
           {"GET /metrics HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
            400},
           {"GET /metrics HTTP/2.0\r\nHost: t\r\n\r\n", 505}}) {
    HttpClient client = Client();
    client.Send(bad.text);
    const auto response = client.Read();
    ASSERT_TRUE(response) << bad.text;
    EXPECT_EQ(response->status, bad.status) << bad.text;
  }
  EXPECT_TRUE(Get("/metrics"));
}

TEST_F(HttpServerTest, CompressesLongTextOnRequestOnly) {
  Serve();
  const auto packed = Get("/text", "Accept-Encoding: deflate, gzip;q=0.8\r\n");
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->headers.at("content-encoding"), "gzip");
  EXPECT_LT(packed->body.size(), 1000U);
  EXPECT_EQ(Unpack(packed->body), std::string(20000, 'y'));
  const auto plain = Get("/text");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->headers.contains("content-encoding"));
  EXPECT_EQ(plain->body, std::string(20000, 'y'));
  const auto small = Get("/metrics", "Accept-Encoding: gzip\r\n");
  ASSERT_TRUE(small);
  EXPECT_FALSE(small->headers.contains("content-encoding"));
}

TEST_F(HttpServerTest, TurnsAThrowingHandlerIntoOneErrorResponse) {
  Serve();
  const auto response = Get("/throws");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(Get("/metrics").value_or(ClientResponse{}).status, 200);
}

TEST_F(HttpServerTest, SharesOneRenderAmongConcurrentRequests) {
  Serve();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Client());
    clients.back().Send(HttpText("GET", "/held"));
  }
  // All requests have arrived once a later one on each kind of route is done.
  EXPECT_TRUE(Within(seconds(5),
                     [this] { return server_->stats().accepted_total == 20; }));
  EXPECT_EQ(Get("/healthy").value_or(ClientResponse{}).status, 200);
  gate_.Open();
  for (HttpClient& client : clients) {
    EXPECT_EQ(client.Read().value_or(ClientResponse{}).body, "held\n");
  }
  EXPECT_LE(renders_, 2);  // One more if a request came late.
}

TEST_F(HttpServerTest, AnswersCheapPagesWhileEveryWorkerIsHeld) {
  Serve();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(Client());
    clients.back().Send(HttpText("GET", "/held?" + std::to_string(i)));
  }
  EXPECT_TRUE(Within(seconds(5), [this] { return renders_ == 2; }));
  EXPECT_EQ(Get("/healthy").value_or(ClientResponse{}).status, 200);
  gate_.Open();
}

TEST_F(HttpServerTest, RefusesWhatTheQueueCannotHold) {
  options_.max_queued_requests = 1;
  options_.workers = 1;
  Serve();
  HttpClient running = Client();
  running.Send(HttpText("GET", "/held?1"));
  ASSERT_TRUE(Within(seconds(5), [this] { return renders_ == 1; }));
  HttpClient queued = Client();
  queued.Send(HttpText("GET", "/held?2"));
  ASSERT_TRUE(Within(seconds(5), [this] {
    return Get("/text").value_or(ClientResponse{}).status == 503;
  }));
  gate_.Open();
  EXPECT_EQ(queued.Read().value_or(ClientResponse{}).status, 200);
}

TEST_F(HttpServerTest, ScrapesAtOnceAmongHalfOpenAndSlowClients) {
  options_.header_timeout = milliseconds(3000);
  Serve();
  std::vector<HttpClient> half_open;
  for (int i = 0; i < 200; ++i) {
    half_open.push_back(Client());
    half_open.back().Send("GET /metr");
  }
  std::atomic<bool> done = false;
  std::thread slow_writers([this, &done] {
    std::vector<HttpClient> writers;
    for (int i = 0; i < 50; ++i) writers.push_back(Client());
    while (!done) {
      for (HttpClient& writer : writers) writer.Send("G");
      std::this_thread::sleep_for(milliseconds(100));
    }
  });
  EXPECT_TRUE(Within(seconds(5),
                     [this] { return server_->stats().connections >= 250; }));
  for (int i = 0; i < 5; ++i) {
    const auto begin = steady_clock::now();
    const auto response = Get("/metrics");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_LT(steady_clock::now() - begin, seconds(1));
  }
  // The slow ones are no better off than the silent ones: both are closed.
  EXPECT_TRUE(Within(
      seconds(15), [this] { return server_->stats().timeouts_total >= 200; }));
  done = true;
  slow_writers.join();
}

TEST_F(HttpServerTest, MakesRoomForANewClientAtItsCap) {
  options_.max_connections = 50;
  Serve();
  std::vector<HttpClient> silent;
  for (int i = 0; i < 300; ++i) silent.push_back(Client());
  EXPECT_EQ(Get("/metrics").value_or(ClientResponse{}).status, 200);
  EXPECT_LE(server_->stats().connections, 50U);
  EXPECT_GE(server_->stats().evicted_total, 250U);
  EXPECT_TRUE(silent.front().SeesClose(seconds(2)));
}

TEST_F(HttpServerTest, RefusesAClientWhenEveryConnectionIsBusy) {
  options_.max_connections = 2;
  Serve();
  std::vector<HttpClient> busy;
  for (int i = 0; i < 2; ++i) {
    busy.push_back(Client());
    busy.back().Send(HttpText("GET", "/held?" + std::to_string(i)));
  }
  ASSERT_TRUE(Within(seconds(5), [this] { return renders_ == 2; }));
  HttpClient client = Client();
  EXPECT_EQ(client.Read().value_or(ClientResponse{}).status, 503);
  EXPECT_EQ(server_->stats().refused_total, 1U);
  gate_.Open();
  EXPECT_EQ(busy[0].Read().value_or(ClientResponse{}).status, 200);
}

TEST_F(HttpServerTest, OutlivesTenThousandConnections) {
  rlimit files = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const std::size_t at_once =
      std::min<std::size_t>(2000, (files.rlim_cur - 100) / 2);
  options_.max_connections = std::min<std::size_t>(1024, at_once / 2);
  Serve();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 10000; ++i) {
    if (clients.size() == at_once / 2) clients.clear();
    clients.push_back(Client());
    ASSERT_TRUE(clients.back().connected()) << i;
  }
  EXPECT_EQ(Get("/metrics").value_or(ClientResponse{}).status, 200);
  EXPECT_LE(server_->stats().connections, options_.max_connections);
}

TEST_F(HttpServerTest, ClosesAnIdleConnection) {
  options_.idle_timeout = milliseconds(200);
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("GET", "/metrics"));
  ASSERT_TRUE(client.Read());
  EXPECT_TRUE(client.SeesClose(seconds(3)));
}

TEST_F(HttpServerTest, GivesUpOnAClientThatDoesNotRead) {
  options_.write_timeout = milliseconds(300);
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("GET", "/large"));
  EXPECT_TRUE(Within(seconds(5), [this] {
    return server_->stats().timeouts_total == 1 &&
           server_->stats().connections == 0;
  }));
}

TEST_F(HttpServerTest, BoundsWhatClientsThatDoNotReadMakeItHold) {
  options_.max_pending_bytes = 2 * kLargeBody;
  Serve();
  // Each has the start of its answer in the socket and the rest with us.
  std::vector<HttpClient> sleepers;
  for (int i = 0; i < 4; ++i) {
    sleepers.push_back(Client());
    sleepers.back().Send(HttpText("GET", "/large"));
  }
  EXPECT_TRUE(Within(seconds(5), [this] {
    return Get("/metrics").value_or(ClientResponse{}).status == 503;
  }));
  EXPECT_EQ(Get("/healthy").value_or(ClientResponse{}).status, 200);
  sleepers.clear();
  EXPECT_TRUE(Within(seconds(5), [this] {
    return Get("/metrics").value_or(ClientResponse{}).status == 200;
  }));
}

TEST_F(HttpServerTest, OutlivesResetsInTheMiddleOfResponses) {
  Serve();
  for (int i = 0; i < 50; ++i) {
    HttpClient client = Client();
    client.Send(HttpText("GET", i % 2 == 0 ? "/large" : "/metrics"));
    if (i % 3 == 0) std::this_thread::sleep_for(milliseconds(5));
    client.Reset();
  }
  EXPECT_EQ(Get("/metrics").value_or(ClientResponse{}).status, 200);
  EXPECT_TRUE(
      Within(seconds(5), [this] { return server_->stats().connections == 0; }));
}

TEST_F(HttpServerTest, ListensOnSeveralAddressesIpv6AndUnixAmongThem) {
  const std::string path =
      ::testing::TempDir() + "/http_server_test." + std::to_string(::getpid());
  options_.listen = {Address("127.0.0.1:0"), Address("[::1]:0"),
                     Address("unix:" + path)};
  Serve();
  EXPECT_EQ(server_->urls()[1],
            "http://[::1]:" + std::to_string(server_->ports()[1]));
  struct stat file = {};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  std::vector<HttpClient> clients;
  clients.push_back(Client());
  clients.push_back(HttpClient::ToIpv6(server_->ports()[1]));
  clients.push_back(HttpClient::ToUnix(path));
  for (HttpClient& client : clients) {
    ASSERT_TRUE(client.connected());
    client.Send(HttpText("GET", "/metrics"));
    EXPECT_EQ(client.Read().value_or(ClientResponse{}).status, 200);
  }
  server_->Stop();
  EXPECT_NE(::stat(path.c_str(), &file), 0);
}

TEST_F(HttpServerTest, TakesOverASocketFileThatNobodyServes) {
  const std::string path =
      ::testing::TempDir() + "/http_server_stale." + std::to_string(::getpid());
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(stale, reinterpret_cast<const sockaddr*>(&address),
                   sizeof address),
            0);
  ::close(stale);
  options_.listen = {Address("unix:" + path)};
  Serve();
  EXPECT_TRUE(HttpClient::ToUnix(path).connected());
  HttpServer second(options_);
  EXPECT_EQ(second.Start().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(HttpServerTest, NamesThePortThatIsTaken) {
  Serve();
  HttpServerOptions options;
  const std::uint16_t port = server_->ports().front();
  options.listen = {Address("127.0.0.1:0"),
                    Address("127.0.0.1:" + std::to_string(port))};
  HttpServer second(options);
  const absl::Status status = second.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(std::string(status.message()),
            "listen on 127.0.0.1:" + std::to_string(port) + ": port " +
                std::to_string(port) +
                " is taken by another program; end that one or choose another "
                "address with --listen ADDR:PORT");
  EXPECT_TRUE(second.urls().empty());
}

TEST_F(HttpServerTest, RefusesPlainTextForOtherHostsUnlessToldOtherwise) {
  options_.listen = {Address("0.0.0.0:0")};
  EXPECT_EQ(HttpServer(options_).Start().code(),
            absl::StatusCode::kFailedPrecondition);
  options_.allow_exposed = true;
  Serve();
  EXPECT_EQ(Get("/metrics").value_or(ClientResponse{}).status, 200);
}

TEST_F(HttpServerTest, StopsWithinASecondWhateverItsClientsDo) {
  Serve();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Client());
    clients.back().Send(i % 2 == 0 ? HttpText("GET", "/large") : "GET /");
  }
  EXPECT_TRUE(Within(seconds(5), [this] {
    return server_->stats().responses_total[200] == 10;
  }));
  const auto begin = steady_clock::now();
  server_->Stop();
  EXPECT_LT(steady_clock::now() - begin, seconds(1));
  EXPECT_FALSE(Client().connected());
}

TEST_F(HttpServerTest, FinishesAResponseUnderWayWhenItStops) {
  Serve();
  HttpClient client = Client();
  client.Send(HttpText("GET", "/held"));
  ASSERT_TRUE(Within(seconds(5), [this] { return renders_ == 1; }));
  std::thread stop([this] { server_->Stop(); });
  // It takes no new clients once it stops.
  EXPECT_TRUE(Within(seconds(5), [this] { return !Client().connected(); }));
  gate_.Open();
  const auto response = client.Read();
  stop.join();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "held\n");
  EXPECT_EQ(response->headers.at("connection"), "close");
}

}  // namespace
}  // namespace heapledger::collector
