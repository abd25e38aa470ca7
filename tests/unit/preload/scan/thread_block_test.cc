// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/thread_block.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace heapledger::preload::scan {
namespace {

// What glibc here really makes.
ThreadBlock Own() {
  const auto address =
      reinterpret_cast<std::uint64_t>(__builtin_thread_pointer());
  std::uint64_t words[kThreadBlockWords];
  std::memcpy(words, __builtin_thread_pointer(), sizeof words);
  EXPECT_TRUE(LooksLikeThreadBlock(address, words));
  return ReadThreadBlock(address, words);
}

TEST(ThreadBlockTest, KnowsTheMainThreadsId) {
  const ThreadBlock block = Own();
  EXPECT_EQ(block.tid, syscall(SYS_gettid));
  // Its stack is the kernel's: not below the block.
  EXPECT_EQ(block.stack_low, 0U);
}

TEST(ThreadBlockTest, FindsTheStackOfAThread) {
  std::thread([] {
    const ThreadBlock block = Own();
    EXPECT_EQ(block.tid, syscall(SYS_gettid));
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    void* low;
    std::size_t bytes;
    pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
    EXPECT_EQ(block.stack_low, reinterpret_cast<std::uint64_t>(low));
    EXPECT_EQ(block.stack_high, reinterpret_cast<std::uint64_t>(low) + bytes);
  }).join();
}

TEST(ThreadBlockTest, FindsNoStackInWordsThatSayNothing) {
  std::uint64_t words[kThreadBlockWords] = {};
  EXPECT_EQ(ReadThreadBlock(0x7f0000100000, words).stack_low, 0U);
  EXPECT_FALSE(LooksLikeThreadBlock(0x7f0000100000, words));
}

}  // namespace
}  // namespace heapledger::preload::scan
