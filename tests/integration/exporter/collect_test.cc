// SPDX-License-Identifier: Apache-2.0
// The collect verb as a user meets it: the executable, its words, its signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/exporter/http_client.h"

namespace heapledger::collector {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class CollectTest : public ::testing::Test {
 protected:
  CollectTest()
      : directory_(::testing::TempDir() + "/collect_test." +
                   std::to_string(::getpid())) {
    std::filesystem::create_directory(directory_);
    ::chmod(directory_.c_str(), 0700);
  }
  ~CollectTest() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  void Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {std::getenv("HEAPLEDGER_BIN"),
                                         "collect", "--dir", directory_});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, Log().c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_EQ(
        ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
  }

  // The exit status; nullopt if the collector still runs after `limit`.
  std::optional<int> Wait(milliseconds limit) {
    const auto deadline = steady_clock::now() + limit;
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (steady_clock::now() > deadline) return std::nullopt;
      std::this_thread::sleep_for(milliseconds(5));
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string Words() {
    std::ifstream file(Log());
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  // The first port that it says it serves on; 0 if it says none.
  std::uint16_t Port() {
    static const std::regex kPort(R"(http://127\.0\.0\.1:(\d+)/metrics)");
    for (int i = 0; i < 2000; ++i) {
      std::smatch match;
      const std::string words = Words();
      if (std::regex_search(words, match, kPort)) {
        return static_cast<std::uint16_t>(std::stoul(match[1]));
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return 0;
  }

  static ClientResponse Get(std::uint16_t port, std::string_view path) {
    HttpClient client = HttpClient::ToIpv4(port);
    client.Send(HttpText("GET", path));
    return client.Read().value_or(ClientResponse{});
  }

  // Asks until there was a sample.
  static bool WaitUntilReady(std::uint16_t port) {
    for (int i = 0; i < 1000; ++i) {
      if (Get(port, "/-/ready").status == 200) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  std::string Log() const { return directory_ + "/stderr"; }

  std::string directory_;
  pid_t pid_ = 0;
};

TEST_F(CollectTest, SaysWhereItServesAndEndsWithinASecondOfASignal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Start({"--listen", "127.0.0.1:0", "--listen", "[::1]:0"});
    const std::uint16_t port = Port();
    ASSERT_NE(port, 0) << Words();
    EXPECT_NE(Words().find("http://[::1]:"), std::string::npos);
    ASSERT_TRUE(WaitUntilReady(port));
    const ClientResponse metrics = Get(port, "/metrics");
    EXPECT_NE(metrics.body.find("heapledger_build_info{version="),
              std::string::npos);
    HttpClient idle = HttpClient::ToIpv4(port);
    const auto begin = steady_clock::now();
    ::kill(pid_, signal);
    EXPECT_EQ(Wait(seconds(10)), 0);
    EXPECT_LT(steady_clock::now() - begin, seconds(1));
  }
}

TEST_F(CollectTest, RefusesAPortThatIsTakenWithASentence) {
  Start({"--listen", "127.0.0.1:0"});
  const std::string address = "127.0.0.1:" + std::to_string(Port());
  const pid_t first = pid_;
  Start({"--listen", address});
  EXPECT_EQ(Wait(seconds(20)), 2);
  EXPECT_TRUE(Words().starts_with("heapledger: collect: listen on " + address +
                                  ": port "))
      << Words();
  EXPECT_NE(Words().find("--listen ADDR:PORT"), std::string::npos);
  pid_ = first;
}

TEST_F(CollectTest, RefusesOtherHostsInPlainTextAndNames) {
  Start({"--listen", "0.0.0.0:0"});
  EXPECT_EQ(Wait(seconds(20)), 2);
  EXPECT_NE(Words().find("--insecure"), std::string::npos);
  Start({"--listen", "example.org:80"});
  EXPECT_EQ(Wait(seconds(20)), 2);
  EXPECT_NE(Words().find("not an IP literal"), std::string::npos);
}

TEST_F(CollectTest, ScrapesOnPastALedgerOfRandomBytesAndLogsItOnce) {
  const std::string ledger =
      directory_ + "/" + std::to_string(::getpid()) + "-1.ledger";
  std::ofstream(ledger) << std::string(100000, 'x');
  ::chmod(ledger.c_str(), 0600);
  Start({"--listen", "127.0.0.1:0", "--interval", "0.02"});
  const std::uint16_t port = Port();
  ASSERT_TRUE(WaitUntilReady(port));
  std::this_thread::sleep_for(milliseconds(200));  // ten samples
  const ClientResponse metrics = Get(port, "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_NE(metrics.body.find("\nheapledger_unreadable_ledgers 1\n"),
            std::string::npos);
  const std::string words = Words();
  const std::size_t first = words.find(ledger);
  ASSERT_NE(first, std::string::npos) << words;
  EXPECT_EQ(words.find(ledger, first + 1), std::string::npos) << words;
}

}  // namespace
}  // namespace heapledger::collector
