// SPDX-License-Identifier: Apache-2.0
// A suite of several tests in one process, one of which leaks.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "heapledger/testing/gtest_listener.h"

namespace {

void* volatile g_lost;
std::string* g_cache;

TEST(Suite, Clean) { delete new std::string(1000, 'x'); }

// Made once and kept: not what is looked for.
TEST(Suite, FillsACache) {
  if (g_cache == nullptr) g_cache = new std::string(100'000, 'x');
}

TEST(Suite, Leaks) { g_lost = std::malloc(3000); }

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  heapledger::AddGateListener();
  return RUN_ALL_TESTS();
}
