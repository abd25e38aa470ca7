// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/baseline_keeper.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "collector/baseline/baseline_file.h"
#include "tests/support/temp_directory.h"

namespace heapledger::collector::cli {
namespace {

using std::chrono::milliseconds;

class BaselineKeeperTest : public ::testing::Test {
 protected:
  void Start() {
    BaselineKeeperOptions options;
    options.path = path_;
    options.interval = milliseconds(2);
    options.save_interval = milliseconds(2);
    options.learner.wait_ns = 0;
    auto keeper = BaselineKeeper::Make(options, &source_, &system_, &leaks_,
                                       [](const std::string&) {});
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
    keeper_->Start();
  }

  // A look at pid 42, which has no ledger, until it has been booked.
  void See(std::uint64_t resident, double growth = 0) {
    auto view = std::make_shared<SystemView>();
    view->taken_realtime_ns = ++now_;
    TargetSample target;
    target.pid = 42;
    target.process = "server";
    target.taken_realtime_ns = now_;
    target.memory.anonymous = resident;
    target.growth_bytes_per_second = growth;
    view->targets.push_back(target);
    system_.Publish(view);
    ++seen_;
    const auto deadline =
        std::chrono::steady_clock::now() + milliseconds(10'000);
    while (Booked() < seen_ && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    ASSERT_EQ(Booked(), seen_);
  }

  std::uint64_t Booked() {
    const auto figures = keeper_->View().figures();
    if (figures->empty()) return 0;
    return figures->front().samples + figures->front().state.dropped;
  }

  heapledger::testing::TempDirectory directory_;
  const std::string path_ = directory_.Path("b.json");
  HostSource source_;
  SystemSource system_;
  HostLeaks leaks_{{}};
  std::unique_ptr<BaselineKeeper> keeper_;
  std::uint64_t now_ = 1'700'000'000'000'000'000;
  std::uint64_t seen_ = 0;
};

TEST_F(BaselineKeeperTest, LearnsAndWritesAndGoesOn) {
  Start();
  for (std::uint64_t i = 0; i < 5; ++i) See(1000);
  EXPECT_TRUE(keeper_->Stop(milliseconds(10'000)));
  auto kept = baseline::ReadBaselineFile(path_);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->at("server").current.samples, 5U);
  EXPECT_EQ(kept->at("server").current.all[0].max(), 1000);

  Start();
  See(2000);
  EXPECT_EQ(keeper_->View().figures()->front().samples, 6U);
  EXPECT_TRUE(keeper_->Stop(milliseconds(10'000)));
  kept = baseline::ReadBaselineFile(path_);
  EXPECT_EQ(kept->at("server").current.all[0].max(), 2000);
}

TEST_F(BaselineKeeperTest, GrowthIsNotLearned) {
  Start();
  See(1000);
  See(90'000, 1e6);
  const auto figures = keeper_->View().figures();
  EXPECT_TRUE(figures->front().state.frozen);
  EXPECT_EQ(figures->front().samples, 1U);
}

TEST_F(BaselineKeeperTest, AFileThatIsNoneIsNotOverwritten) {
  std::ofstream(path_) << "precious";
  BaselineKeeperOptions options;
  options.path = path_;
  EXPECT_FALSE(BaselineKeeper::Make(options, &source_, &system_, &leaks_,
                                    [](const std::string&) {})
                   .ok());
  std::string text;
  std::ifstream(path_) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(BaselineKeeperTest, APlaceThatCannotBeWrittenIsSaidAtOnce) {
  BaselineKeeperOptions options;
  options.path = directory_.Path("no/b.json");
  EXPECT_FALSE(BaselineKeeper::Make(options, &source_, &system_, &leaks_,
                                    [](const std::string&) {})
                   .ok());
}

}  // namespace
}  // namespace heapledger::collector::cli
