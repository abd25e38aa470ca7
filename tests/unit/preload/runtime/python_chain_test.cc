// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/python_chain.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/preload/runtime/fake_memory.h"

namespace heapledger::preload {
namespace {

constexpr std::uint64_t kThread = 0x10000;

// What one frame of a fake interpreter is.
struct Frame {
  std::uint64_t code;
  std::int32_t unit;
  bool is_entry = false;  // the outermost of its loop
};

class PythonChainTest : public ::testing::Test {
 protected:
  struct Seen {
    std::vector<ChainFrame> frames;
    std::vector<std::uint64_t> entries;
    ChainEnd end = ChainEnd::kComplete;
  };

  Seen Walk(std::uint32_t version, std::uint32_t limit = 100) const {
    Seen seen;
    seen.end = WalkPythonChain(
        *FindCpythonLayout(version), memory_, kThread, limit,
        [&seen](const ChainFrame& frame) { seen.frames.push_back(frame); },
        [&seen](std::uint64_t entry) { seen.entries.push_back(entry); });
    return seen;
  }

  // Frame objects at 0x20000, 0x20200, …, innermost first; cframes at 0x90000.
  void PutObjects(std::uint32_t version, const std::vector<Frame>& frames) {
    const CpythonLayout& layout = *FindCpythonLayout(version);
    const bool on_stack = layout.chain == FrameChain::kFrameObjectsOnStack;
    memory_.Put(kThread + layout.thread.frame, std::uint64_t{0x20000});
    if (on_stack) {
      memory_.Put(kThread + layout.thread.cframe, std::uint64_t{0x90000});
    }
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::uint64_t at = 0x20000 + i * 0x200;
      const std::uint64_t next = i + 1 < frames.size() ? at + 0x200 : 0;
      const std::int32_t last =
          on_stack || frames[i].unit < 0 ? frames[i].unit : frames[i].unit * 2;
      memory_.Put(at + layout.frame.code, frames[i].code);
      memory_.Put(at + layout.frame.instruction, last);
      memory_.Put(at + layout.frame.previous, next);
      memory_.Put(0x90000 + i * 0x100 + layout.cframe.previous,
                  std::uint64_t{0x90000 + (i + 1) * 0x100});
    }
  }

  void PutPlain(const CpythonLayout& layout, std::uint64_t at,
                const Frame& frame, std::uint64_t next) {
    memory_.Put(at + layout.frame.code, frame.code);
    memory_.Put(at + layout.frame.instruction,
                frame.code + layout.code.bytecode +
                    static_cast<std::uint64_t>(std::int64_t{frame.unit} * 2));
    memory_.Put(at + layout.frame.previous, next);
  }

  // 3.11: frames at 0x20000, …, cframes at 0x90000, ….
  void PutFlagged(const std::vector<Frame>& frames) {
    const CpythonLayout& layout = *FindCpythonLayout(0x030b0000);
    memory_.Put(kThread + layout.thread.cframe, std::uint64_t{0x90000});
    memory_.Put(0x90000 + layout.cframe.current, std::uint64_t{0x20000});
    std::uint64_t cframe = 0x90000;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::uint64_t at = 0x20000 + i * 0x200;
      PutPlain(layout, at, frames[i], i + 1 < frames.size() ? at + 0x200 : 0);
      memory_.Put(at + layout.frame.is_entry, std::uint8_t{frames[i].is_entry});
      if (!frames[i].is_entry) continue;
      memory_.Put(cframe + layout.cframe.previous, cframe + 0x100);
      cframe += 0x100;
    }
  }

  // 3.12 and 3.13: behind the outermost frame of each loop stands one that is
  // owned by the C stack, at 0x80000, ….
  void PutOnStack(std::uint32_t version, const std::vector<Frame>& frames) {
    const CpythonLayout& layout = *FindCpythonLayout(version);
    if (layout.thread.cframe != 0) {
      memory_.Put(kThread + layout.thread.cframe, std::uint64_t{0x90000});
      memory_.Put(0x90000 + layout.cframe.current, std::uint64_t{0x20000});
    } else {
      memory_.Put(kThread + layout.thread.frame, std::uint64_t{0x20000});
    }
    std::uint64_t entry = 0x80000;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::uint64_t at = 0x20000 + i * 0x200;
      const std::uint64_t next = i + 1 < frames.size() ? at + 0x200 : 0;
      PutPlain(layout, at, frames[i], frames[i].is_entry ? entry : next);
      if (!frames[i].is_entry) continue;
      memory_.Put(entry + layout.frame.owner, kPyOwnedByCStack);
      memory_.Put(entry + layout.frame.previous, next);
      entry += 0x1000;
    }
  }

  heapledger::testing::FakeMemory memory_;
};

TEST_F(PythonChainTest, FollowsFrameObjects) {
  for (const std::uint32_t version : {0x03080000U, 0x03090000U}) {
    PutObjects(version, {{0x30000, 7}, {0x31000, -1}});
    const Seen seen = Walk(version);
    EXPECT_EQ(seen.end, ChainEnd::kComplete);
    EXPECT_EQ(seen.frames,
              (std::vector<ChainFrame>{{0x30000, 7, 0}, {0x31000, -1, 0}}));
  }
}

TEST_F(PythonChainTest, PairsFrameObjectsWithTheLoopsThatRunThem) {
  PutObjects(0x030a0000, {{0x30000, 7}, {0x31000, -1}, {0x30000, 9}});
  EXPECT_EQ(Walk(0x030a0000).frames,
            (std::vector<ChainFrame>{{0x30000, 7, 0x90000},
                                     {0x31000, -1, 0x90100},
                                     {0x30000, 9, 0x90200}}));
}

TEST_F(PythonChainTest, GivesAllFramesOfALoopItsPlace) {
  PutFlagged({{0x30000, 7}, {0x31000, 3, true}, {0x32000, 1, true}});
  const Seen seen = Walk(0x030b0000);
  EXPECT_EQ(seen.end, ChainEnd::kComplete);
  EXPECT_EQ(seen.frames, (std::vector<ChainFrame>{{0x30000, 7, 0x90000},
                                                  {0x31000, 3, 0x90000},
                                                  {0x32000, 1, 0x90100}}));
}

TEST_F(PythonChainTest, SaysWhereALoopWasEntered) {
  for (const std::uint32_t version : {0x030c0000U, 0x030d0000U}) {
    PutOnStack(version, {{0x30000, 7}, {0x31000, 3, true}, {0x32000, 1, true}});
    const Seen seen = Walk(version);
    EXPECT_EQ(seen.end, ChainEnd::kComplete);
    EXPECT_EQ(seen.frames,
              (std::vector<ChainFrame>{
                  {0x30000, 7, 0}, {0x31000, 3, 0}, {0x32000, 1, 0}}));
    EXPECT_EQ(seen.entries, (std::vector<std::uint64_t>{0x80000, 0x81000}));
  }
}

TEST_F(PythonChainTest, IsEmptyBeforeThereIsAFrame) {
  for (std::uint32_t minor = 8; minor <= 13; ++minor) {
    const Seen seen = Walk(0x03000000 | minor << 16);
    EXPECT_TRUE(seen.frames.empty());
    EXPECT_EQ(seen.end, ChainEnd::kComplete);
  }
}

TEST_F(PythonChainTest, StopsAtItsLimit) {
  PutFlagged({{0x30000, 7}, {0x31000, 3}, {0x32000, 1, true}});
  const Seen seen = Walk(0x030b0000, 2);
  EXPECT_EQ(seen.end, ChainEnd::kTruncated);
  EXPECT_EQ(seen.frames.size(), 2U);
}

TEST_F(PythonChainTest, StopsInACircle) {
  PutObjects(0x03090000, {{0x30000, 7}});
  memory_.Put(0x20000 + 24, std::uint64_t{0x20000});
  EXPECT_EQ(Walk(0x03090000, 50).end, ChainEnd::kTruncated);
}

TEST_F(PythonChainTest, FollowsNothingThatCannotBeAnObject) {
  for (const std::uint64_t wrong :
       {std::uint64_t{0x20001}, std::uint64_t{64}, std::uint64_t{1} << 47}) {
    PutObjects(0x03090000, {{0x30000, 7}});
    memory_.Put(0x20000 + 24, wrong);
    EXPECT_EQ(Walk(0x03090000).end, ChainEnd::kDamaged);
    PutOnStack(0x030d0000, {{wrong, 7, true}});
    EXPECT_EQ(Walk(0x030d0000).end, ChainEnd::kDamaged);
  }
}

}  // namespace
}  // namespace heapledger::preload
