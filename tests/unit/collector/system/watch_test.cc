// SPDX-License-Identifier: Apache-2.0
#include "collector/system/watch.h"

#include <gtest/gtest.h>

#include "tests/support/fake_files.h"

namespace heapledger::collector {
namespace {

using std::chrono::seconds;

class ProcessWatchTest : public ::testing::Test {
 protected:
  void Process(int pid, const std::string& comm, int start,
               const std::string& exe, char state = 'S') {
    const std::string directory = std::to_string(pid);
    files_.Write(directory + "/stat",
                 directory + " (" + comm + ") " + state +
                     " 1 1 1 0 -1 0 1 0 2 0 0 0 0 0 20 0 1 0 " +
                     std::to_string(start) + " 0 0\n");
    if (!exe.empty()) files_.Link(directory + "/exe", exe);
  }
  ProcessWatch Make(const std::vector<std::string>& words) {
    auto watch = ProcessWatch::Make(words, files_.root());
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }

  heapledger::testing::FakeFiles files_;
  std::chrono::steady_clock::time_point now_{seconds(1000)};
};

TEST_F(ProcessWatchTest, FindsByCommandAndByExecutable) {
  Process(10, "worker", 5, "/usr/bin/python3.11");
  Process(11, "nginx", 3, "/usr/sbin/nginx (deleted)");
  Process(12, "other", 1, "/usr/bin/other");
  Process(13, "nginx", 4, "/usr/sbin/nginx", 'Z');
  Process(14, "kthread", 1, "");
  files_.Write("self/stat", "1 (nginx) S");
  files_.Write("15/stat", "nonsense");
  ProcessWatch watch = Make({"nginx", "python3.11"});
  EXPECT_EQ(watch.Find(now_), (std::vector<WatchedProcess>{
                                  {11, 3, "nginx"}, {10, 5, "python3.11"}}));
}

TEST_F(ProcessWatchTest, KeepsTheOrderInWhichTheyWereFound) {
  Process(20, "x", 9, "/x");
  ProcessWatch watch = Make({"x"});
  EXPECT_EQ(watch.Find(now_).size(), 1U);
  Process(19, "x", 10, "/x");
  EXPECT_EQ(watch.Find(now_ + seconds(1)).size(), 1U) << "searches later";
  const auto& found = watch.Find(now_ + seconds(60));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].pid, 20U);
  files_.Remove("20");
  EXPECT_EQ(watch.Find(now_ + seconds(60)).size(), 1U) << "ended";
  Process(19, "x", 11, "/x");
  EXPECT_TRUE(watch.Find(now_ + seconds(60)).empty()) << "the pid was reused";
}

TEST_F(ProcessWatchTest, TakesAPidAndNamesItsProgram) {
  Process(30, "comm", 7, "/opt/app/server");
  ProcessWatch watch = Make({"30"});
  EXPECT_EQ(watch.Find(now_), (std::vector<WatchedProcess>{{30, 7, "server"}}));
  EXPECT_EQ(ProcessWatch::Make({"31"}, files_.root()).status().message(),
            "watch pid 31: no such process; give one that runs, or a name");
}

}  // namespace
}  // namespace heapledger::collector
