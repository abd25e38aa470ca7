// SPDX-License-Identifier: Apache-2.0
// The guard itself: a test that cannot fail would be worth nothing.
#include "tests/support/no_alloc_guard.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace heapledger::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kGuards = false;
#else
constexpr bool kGuards = true;
#endif

void* volatile g_block;

TEST(NoAllocGuardDeathTest, EndsATestThatAllocatesInItsScope) {
  if (!kGuards) GTEST_SKIP() << "the sanitizer owns malloc";
  EXPECT_DEATH(
      {
        const NoAllocGuard guard;
        g_block = std::malloc(1);
      },
      "allocation in a guarded scope");
}

TEST(NoAllocGuardTest, LetsAPauseAndTheRestOfTheTestAllocate) {
  {
    const NoAllocGuard guard;
    const NoAllocGuard::Pause pause;
    g_block = std::malloc(1);
  }
  std::free(g_block);
  g_block = std::malloc(1);
  std::free(g_block);
}

}  // namespace
}  // namespace heapledger::testing
