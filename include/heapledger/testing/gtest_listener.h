// SPDX-License-Identifier: Apache-2.0
// For suites that run many tests in one process under `heapledger gate`: fails
// the very test during which the heap grew and stayed so.
//
//   int main(int argc, char** argv) {
//     testing::InitGoogleTest(&argc, argv);
//     heapledger::AddGateListener();  // does nothing outside the gate
//     return RUN_ALL_TESTS();
//   }
//
// What it can say is less than the gate: that a test left more blocks behind
// than there were, by the allocator's own count (mallinfo2), in every
// repetition after its first. A cache that a test fills grows once; a leak
// grows in every repetition, so this judges only with --gtest_repeat=3 or more.
// Which blocks they are, and of whom, the gate says when the process ends.
//
// Needs GoogleTest and glibc 2.33, and nothing of heapledger. Memory of glibc's
// malloc counts alone: with another allocator the count stands still, and
// nothing fails.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <map>
#include <string>

namespace heapledger {

// Thread safety: as GoogleTest's listeners; threads that outlive a test blur
// its count.
class GateListener : public testing::EmptyTestEventListener {
 public:
  // Bytes that a repetition of a test may leave.
  explicit GateListener(std::size_t slack_bytes = 0)
      : slack_bytes_(slack_bytes) {}

  void OnTestStart(const testing::TestInfo& test) override {
    // Made first, so that its own memory is in both counts.
    current_ = &tests_[Name(test)];
    before_ = LiveBytes();
  }

  void OnTestEnd(const testing::TestInfo& test) override {
    const std::size_t after = LiveBytes();
    if (current_ == nullptr) return;
    Grown& grown = *current_;
    ++grown.runs;
    if (grown.runs == 1) return;  // what is made once and kept
    if (after <= before_ + slack_bytes_) {
      grown.bytes = 0;
      grown.in_a_row = 0;
      return;
    }
    grown.bytes += after - before_;
    if (++grown.in_a_row < kInARow) return;
    ADD_FAILURE() << Name(test) << " left " << grown.bytes
                  << " bytes more on the heap in " << grown.in_a_row
                  << " repetitions in a row; the gate names the blocks that "
                     "are lost";
  }

 private:
  static constexpr int kInARow = 2;

  struct Grown {
    int runs = 0;
    int in_a_row = 0;
    std::size_t bytes = 0;
  };

  static std::string Name(const testing::TestInfo& test) {
    return std::string(test.test_suite_name()) + "." + test.name();
  }

  static std::size_t LiveBytes() {
    const struct mallinfo2 facts = mallinfo2();
    return facts.uordblks + facts.hblkhd;
  }

  const std::size_t slack_bytes_;
  std::map<std::string, Grown> tests_;
  Grown* current_ = nullptr;
  std::size_t before_ = 0;
};

// Where HEAPLEDGER_SCAN says that the gate runs us.
inline void AddGateListener(std::size_t slack_bytes = 0) {
  if (std::getenv("HEAPLEDGER_SCAN") == nullptr) return;
  testing::UnitTest::GetInstance()->listeners().Append(
      new GateListener(slack_bytes));
}

}  // namespace heapledger
