// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/control_word.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "collector/shm/ledger_reader.h"
#include "tests/support/ledger_builder.h"
#include "tests/support/temp_directory.h"

namespace heapledger::collector {
namespace {

using ledger::Control;
using testing::LedgerBuilder;
using testing::TempDirectory;

class ControlWordTest : public ::testing::Test {
 protected:
  ControlWordTest() : builder_(kCap) {
    found_.path = temp_.Path("4242-987654.ledger");
    found_.owner = geteuid();
    builder_.header().mode = static_cast<std::uint32_t>(ledger::Mode::kDormant);
    Write();
    auto reader = LedgerReader::Open(found_.path);
    EXPECT_TRUE(reader.ok());
    who_ = (*reader)->Take()->identity;
  }

  void Write() {
    builder_.WriteTo(found_.path);
    chmod(found_.path.c_str(), 0600);
  }

  // What was asked, as the file has it.
  std::uint64_t Asked() {
    std::ifstream file(found_.path, std::ios::binary);
    file.seekg(offsetof(ledger::Header, control));
    std::uint64_t word = 0;
    file.read(reinterpret_cast<char*>(&word), sizeof word);
    return word;
  }

  std::string Refusal() {
    const auto word = ControlWord::Open(found_, who_);
    EXPECT_FALSE(word.ok());
    return std::string(word.status().message());
  }

  static constexpr std::size_t kCap = 1 << 20;
  TempDirectory temp_;
  LedgerBuilder builder_;
  FoundLedger found_;
  LedgerIdentity who_;
};

std::uint64_t operator|(Control a, Control b) {
  return static_cast<std::uint64_t>(a) | static_cast<std::uint64_t>(b);
}

TEST_F(ControlWordTest, SetsItsBitsAndKeepsThoseOfOthers) {
  builder_.header().control = static_cast<std::uint64_t>(Control::kTrim);
  builder_.header().control_ack = 6;
  Write();
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok()) << word.status();
  EXPECT_EQ((*word)->Look()->mode, MeasureMode::kDormant);
  EXPECT_EQ((*word)->Look()->acknowledged, 6U);
  EXPECT_FALSE((*word)->Look()->pending.arm);
  ASSERT_TRUE((*word)->Ask({.arm = true}).ok());
  EXPECT_EQ(Asked(), Control::kTrim | Control::kArm);
  EXPECT_TRUE((*word)->Look()->pending.arm);
}

TEST_F(ControlWordTest, WithdrawsTheOppositeOfWhatItAsks) {
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  ASSERT_TRUE((*word)->Ask({.arm = true, .full_stacks = true}).ok());
  EXPECT_EQ(Asked(), Control::kArm | Control::kFullStacks);
  ASSERT_TRUE((*word)->Ask({.disarm = true}).ok());
  EXPECT_EQ(Asked(), Control::kDisarm | Control::kFullStacks);
  ASSERT_TRUE((*word)->Ask({.arm = true}).ok());
  EXPECT_EQ(Asked(), Control::kArm | Control::kFullStacks);
}

TEST_F(ControlWordTest, SaysWhoAsksForATrim) {
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  ASSERT_TRUE(
      (*word)->Ask({.trim = true, .trim_by = TrimAsker::kCollector}).ok());
  EXPECT_EQ(Asked(), static_cast<std::uint64_t>(Control::kTrim) |
                         1ULL << ledger::kTrimByShift);
  EXPECT_TRUE((*word)->Look()->pending.trim);
  ASSERT_TRUE((*word)->Ask({.trim = true}).ok());
  EXPECT_EQ(Asked(), static_cast<std::uint64_t>(Control::kTrim));
}

TEST_F(ControlWordTest, KeepsTheLastLevelOfPressureAlone) {
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  EXPECT_EQ((*word)->Look()->pending.pressure, PressureLevel::kNotAsked);
  ASSERT_TRUE((*word)->Ask({.pressure = PressureLevel::kHigh}).ok());
  EXPECT_EQ((*word)->Look()->pending.pressure, PressureLevel::kHigh);
  ASSERT_TRUE((*word)->Ask({.pressure = PressureLevel::kCritical}).ok());
  EXPECT_EQ(Asked(), 4ULL << ledger::kPressureShift);
  // Other requests leave it to stand.
  ASSERT_TRUE((*word)->Ask({.arm = true}).ok());
  EXPECT_EQ((*word)->Look()->pending.pressure, PressureLevel::kCritical);
  ASSERT_TRUE((*word)->Ask({.pressure = PressureLevel::kOver}).ok());
  EXPECT_EQ((*word)->Look()->pending.pressure, PressureLevel::kOver);
}

TEST_F(ControlWordTest, ChangesNoOtherByteOfTheFile) {
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  ASSERT_TRUE((*word)->Ask({.arm = true}).ok());
  word->reset();
  std::ifstream file(found_.path, std::ios::binary);
  const std::string now{std::istreambuf_iterator<char>(file), {}};
  builder_.header().control = static_cast<std::uint64_t>(Control::kArm);
  ASSERT_EQ(now.size(), builder_.size());
  EXPECT_EQ(std::memcmp(now.data(), builder_.data(), now.size()), 0);
}

TEST_F(ControlWordTest, OpensNothingButAPrivateFileOfTheOwner) {
  chmod(found_.path.c_str(), 0644);
  EXPECT_NE(Refusal().find("its mode is not 0600"), std::string::npos);
  chmod(found_.path.c_str(), 0600);
  found_.owner = geteuid() + 1;
  EXPECT_NE(Refusal().find("it belongs to user "), std::string::npos);
  found_.owner = geteuid();
  std::filesystem::create_hard_link(found_.path, temp_.Path("other"));
  EXPECT_NE(Refusal().find("more names than one"), std::string::npos);
  std::filesystem::remove(temp_.Path("other"));
  EXPECT_TRUE(ControlWord::Open(found_, who_).ok());
  EXPECT_EQ(Asked(), 0U);
}

TEST_F(ControlWordTest, OpensNoLinkFifoOrDirectory) {
  const std::string real = temp_.Path("real");
  std::filesystem::rename(found_.path, real);
  std::filesystem::create_symlink(real, found_.path);
  EXPECT_NE(Refusal().find("symbolic link"), std::string::npos);
  std::filesystem::remove(found_.path);
  ASSERT_EQ(mkfifo(found_.path.c_str(), 0600), 0);
  EXPECT_NE(Refusal().find("no regular file"), std::string::npos);
  std::filesystem::remove(found_.path);
  std::filesystem::create_directory(found_.path);
  EXPECT_NE(Refusal(), "");
  std::filesystem::remove(found_.path);
  EXPECT_NE(Refusal().find("No such file"), std::string::npos);
}

TEST_F(ControlWordTest, WritesToTheLedgerOfNoOtherProcess) {
  for (const auto change :
       {+[](ledger::Header& h) { h.pid = 7; },
        +[](ledger::Header& h) { h.start_time_ticks = 7; },
        +[](ledger::Header& h) { h.image = 7; },
        +[](ledger::Header& h) { h.pid_namespace = 7; },
        +[](ledger::Header& h) { h.created_monotonic_ns = 7; },
        +[](ledger::Header& h) { h.magic = 7; },
        +[](ledger::Header& h) { h.abi_version = 7; },
        +[](ledger::Header& h) { h.cap_bytes = 7; }}) {
    LedgerBuilder other(kCap);
    change(other.header());
    other.WriteTo(found_.path);
    EXPECT_NE(Refusal(), "");
    EXPECT_EQ(Asked(), 0U);
  }
}

TEST_F(ControlWordTest, NoticesThatTheLedgerBecameAnotherOnes) {
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  builder_.header().pid = 7;
  Write();
  const auto state = (*word)->Look();
  ASSERT_FALSE(state.ok());
  EXPECT_NE(state.status().message().find("not the ledger of pid 4242"),
            absl::string_view::npos);
}

TEST_F(ControlWordTest, RefusesEveryTruncationAndOutlivesOneLater) {
  for (const off_t size : {0, 1, 4095, 4096, 8192, 139'264}) {
    Write();
    ASSERT_EQ(truncate(found_.path.c_str(), size), 0);
    EXPECT_NE(Refusal(), "") << size;
  }
  Write();
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  ASSERT_EQ(truncate(found_.path.c_str(), 0), 0);
  EXPECT_FALSE((*word)->Look().ok());
  EXPECT_EQ((*word)->Ask({.arm = true}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::filesystem::file_size(found_.path), 0U);
}

TEST_F(ControlWordTest, SurvivesAnyHeader) {
  const int descriptor = open(found_.path.c_str(), O_RDWR | O_CLOEXEC);
  auto* const bytes = static_cast<std::byte*>(mmap(nullptr, ledger::kPageBytes,
                                                   PROT_READ | PROT_WRITE,
                                                   MAP_SHARED, descriptor, 0));
  close(descriptor);
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random(seed);
    std::memcpy(bytes, builder_.data(), ledger::kPageBytes);
    for (int i = 0; i < 4; ++i) {
      bytes[random() % ledger::kPageBytes] = static_cast<std::byte>(random());
    }
    const auto word = ControlWord::Open(found_, who_);
    if (word.ok()) (void)(*word)->Ask({.arm = true});
  }
  munmap(bytes, ledger::kPageBytes);
}

TEST_F(ControlWordTest, LosesNoBitToATargetThatTakesThem) {
  auto word = ControlWord::Open(found_, who_);
  ASSERT_TRUE(word.ok());
  const int descriptor = open(found_.path.c_str(), O_RDWR | O_CLOEXEC);
  void* const page = mmap(nullptr, ledger::kPageBytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED, descriptor, 0);
  close(descriptor);
  auto* const header = static_cast<ledger::Header*>(page);
  constexpr int kRounds = 2000;
  std::atomic<int> seen{0};
  std::thread target([&] {
    while (seen < kRounds) {
      const std::uint64_t asked = header->control.exchange(0);
      if ((asked & static_cast<std::uint64_t>(Control::kTrim)) != 0) ++seen;
    }
  });
  const auto trim = static_cast<std::uint64_t>(Control::kTrim);
  for (int i = 0; i < kRounds; ++i) {
    header->control.fetch_or(trim);  // somebody else's request
    ASSERT_TRUE((*word)->Ask({.arm = i % 2 == 0, .disarm = i % 2 == 1}).ok());
    while (seen <= i) std::this_thread::yield();
  }
  target.join();
  EXPECT_EQ(seen, kRounds);
  munmap(page, ledger::kPageBytes);
}

}  // namespace
}  // namespace heapledger::collector
