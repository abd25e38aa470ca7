// SPDX-License-Identifier: Apache-2.0
// The pages of the collector over loopback, and what promtool says of them.
#include "collector/exporter/endpoints.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "tests/integration/exporter/http_client.h"
#include "tests/support/host_view.h"
#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using std::chrono::steady_clock;

class EndpointsTest : public ::testing::Test {
 protected:
  static HttpServerOptions OnLoopback() {
    HttpServerOptions options;
    options.listen = {ParseListenAddress("127.0.0.1:0").value()};
    return options;
  }

  EndpointsTest()
      : server_(OnLoopback()),
        pages_(WithNames(&names_), &source_, &system_, &leaks_, &server_) {}

  static EndpointOptions WithNames(FrameNames* names) {
    EndpointOptions options;
    options.heap.names = names;
    return options;
  }

  void SetUp() override {
    const absl::Status status = server_.Start();
    ASSERT_TRUE(status.ok()) << status;
  }
  void TearDown() override { server_.Stop(); }

  ClientResponse Get(std::string_view path, std::string_view headers = "") {
    HttpClient client = HttpClient::ToIpv4(server_.ports().front());
    client.Send(HttpText("GET", path, headers));
    return client.Read().value_or(ClientResponse{});
  }

  void Publish(std::size_t processes, MadeUpProcess process) {
    auto view = std::make_shared<HostView>();
    view->taken_monotonic_ns = static_cast<std::uint64_t>(
        steady_clock::now().time_since_epoch().count());
    for (std::size_t i = 0; i < processes; ++i) {
      process.pid = static_cast<std::uint32_t>(i + 1);
      view->processes.push_back(MadeUpView(process));
    }
    source_.Publish(std::move(view));
  }

  testing::FakeNames names_;
  HostSource source_;
  SystemSource system_;
  HostLeaks leaks_{LeakOptions()};
  HttpServer server_;
  Endpoints pages_;
};

TEST_F(EndpointsTest, HasThePagesOfTheContractAndNoOthers) {
  Publish(1, {});
  for (const char* path : {"/metrics", "/metrics/memory", "/metrics/python",
                           "/metrics/gc", "/metrics/callsites"}) {
    const ClientResponse response = Get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(response.headers.at("content-type"),
              "text/plain; version=0.0.4; charset=utf-8");
  }
  EXPECT_EQ(Get("/").headers.at("content-type"), "text/html; charset=utf-8");
  const ClientResponse leaks = Get("/api/v1/leaks");
  EXPECT_EQ(leaks.status, 200);
  EXPECT_EQ(leaks.headers.at("content-type"), "application/json");
  EXPECT_EQ(leaks.body, "{\n  \"processes\": []\n}\n");
  for (const char* path : {"/metrics/nonexistent", "/metricsX", "/metrics/",
                           "/favicon.ico", "/-/", "/-/healthy/"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

TEST_F(EndpointsTest, IsReadyOnceThereIsASample) {
  EXPECT_EQ(Get("/-/healthy").status, 200);
  EXPECT_EQ(Get("/-/ready").status, 503);
  EXPECT_EQ(Get("/metrics").status, 200);
  Publish(0, {});
  EXPECT_EQ(Get("/-/ready").status, 200);
}

TEST_F(EndpointsTest, SaysThatTheSamplerHangs) {
  EndpointOptions options;
  options.stuck_after = std::chrono::milliseconds(-1);
  HttpServer server(OnLoopback());
  const Endpoints pages(options, &source_, &system_, &leaks_, &server);
  ASSERT_TRUE(server.Start().ok());
  HttpClient client = HttpClient::ToIpv4(server.ports().front());
  client.Send(HttpText("GET", "/-/healthy"));
  EXPECT_EQ(client.Read().value_or(ClientResponse{}).status, 503);
  server.Stop();
}

TEST_F(EndpointsTest, PassesPromtoolWithHostileNames) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed";
  }
  MadeUpProcess process;
  process.exe = "/tmp/a\"b\\c\nd\xff\x01";
  process.function =
      "operator<<(\"x\\n\n\", \xc3\x28)" + std::string(10240, 'z') + "\"} 1\n";
  Publish(3, process);
  const std::string file =
      ::testing::TempDir() + "/endpoints_test." + std::to_string(::getpid());
  std::ofstream(file) << Get("/metrics").body;
  const int result = std::system(
      ("promtool check metrics < '" + file + "' > '" + file + ".out' 2>&1")
          .c_str());
  std::ifstream output(file + ".out");
  EXPECT_EQ(WEXITSTATUS(result), 0)
      << std::string(std::istreambuf_iterator<char>(output), {});
  ::unlink(file.c_str());
  ::unlink((file + ".out").c_str());
}

TEST_F(EndpointsTest, ServesTenThousandSeriesInUnderASecond) {
  Publish(50, {.callsites = 39});
  std::size_t series = 0;
  const ClientResponse first = Get("/metrics");
  for (std::size_t at = 0; at < first.body.size();
       at = first.body.find('\n', at) + 1) {
    if (first.body[at] != '#') ++series;
  }
  EXPECT_GE(series, 10000U);
  double best[2] = {1e9, 1e9};
  std::size_t bytes[2] = {};
  for (int i = 0; i < 10; ++i) {
    const auto begin = steady_clock::now();
    const ClientResponse response =
        Get("/metrics", i % 2 == 0 ? "" : "Accept-Encoding: gzip\r\n");
    const std::chrono::duration<double, std::milli> time =
        steady_clock::now() - begin;
    EXPECT_LT(time.count(), 1000);
    best[i % 2] = std::min(best[i % 2], time.count());
    bytes[i % 2] = response.body.size();
  }
  RecordProperty("series", std::to_string(series));
  std::cout << series << " series: " << best[0] << " ms for " << bytes[0]
            << " bytes, " << best[1] << " ms for " << bytes[1]
            << " bytes of gzip\n";
}

}  // namespace
}  // namespace heapledger::collector
