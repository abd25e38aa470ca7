// SPDX-License-Identifier: Apache-2.0
#include "collector/monitoring/jobs.h"

#include <gtest/gtest.h>

#include "collector/exporter/callsite_collector.h"
#include "collector/exporter/host_source.h"

namespace heapledger::collector::monitoring {
namespace {

// Prometheus drops a page above its limit as a whole.
TEST(JobsTest, LimitsAreMadeOfTheCollectorsOwnCaps) {
  EXPECT_EQ(kMaxTargets, HostSource::kDefaultMaxTargets);
  EXPECT_EQ(kMaxCallsites, kDefaultMaxCallsites);
}

TEST(JobsTest, TheLimitIsTwiceWhatAFullCollectorServes) {
  EXPECT_EQ(SampleLimit({"x", "5s", "4s", 100}), 2 * 256 * 100);
}

}  // namespace
}  // namespace heapledger::collector::monitoring
