// SPDX-License-Identifier: Apache-2.0
#include "preload/core/byte_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <unordered_map>
#include <vector>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

constexpr double kOne = static_cast<double>(Fixed::kOne);

// As the thread's state has it: memory of zeros on which no constructor ran.
struct ZeroedSampler {
  ZeroedSampler() {
    std::memset(static_cast<void*>(&sampler), 0, sizeof sampler);
  }

  // What the recorder does for each block.
  bool Sampled(std::uint64_t bytes, std::uint32_t mean, std::uint64_t seed) {
    const testing::NoAllocGuard guard;
    return sampler.Take(bytes) && sampler.TakeSlow(bytes, mean, seed);
  }

  ByteSampler sampler;
};

TEST(FixedTest, NegativeLogIsTrueFromTheLargestNumberToTheSmallest) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t number = (random() >> (random() % 64)) | 1;
    const double truth = -std::log(
        static_cast<double>(static_cast<long double>(number) * 0x1p-64L));
    const auto log = static_cast<double>(Fixed::NegativeLog(number)) / kOne;
    ASSERT_NEAR(log, truth, 1e-14 * (1 + truth)) << number;
  }
  // Close to 1 the doubles above say nothing.
  const std::uint64_t close = ~std::uint64_t{0} << 20;
  EXPECT_NEAR(static_cast<double>(Fixed::NegativeLog(close)),
              0x1p20 * 0x1p-64 * kOne, 64);
}

TEST(FixedTest, PerChanceIsTrueToNinePlaces) {
  for (double x = 1e-10; x < 44; x *= 1.001) {
    const auto fixed = static_cast<std::uint64_t>(x * kOne);
    const double exact = static_cast<double>(fixed) / kOne;
    const double truth = exact / -std::expm1(-exact);
    const double got = static_cast<double>(Fixed::PerChance(fixed)) / kOne;
    ASSERT_NEAR(got / truth, 1, 1e-13) << x;
  }
  EXPECT_EQ(Fixed::PerChance(0), Fixed::kOne);
}

TEST(FixedTest, QuotientKeepsAllPlaces) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t divisor = 1 + random() % 0xffffffff;
    const std::uint64_t number = random() % (divisor * 44);
    const auto truth = static_cast<std::uint64_t>(
        (Fixed::Wide{number} << Fixed::kPlaces) / divisor);
    ASSERT_EQ(Fixed::Quotient(number, divisor), truth);
  }
}

TEST(ByteSamplerTest, DrawsGapsOfAnExponentialDistribution) {
  constexpr std::uint32_t kMean = 1U << 30;
  constexpr int kDraws = 200000;
  ZeroedSampler zeroed;
  zeroed.sampler.Seed(20261122);
  std::vector<double> gaps;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    zeroed.sampler.Restart(kMean);
    const double gap = static_cast<double>(zeroed.sampler.countdown()) / kMean;
    gaps.push_back(gap);
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / kDraws;
  const double variance = squares / kDraws - mean * mean;
  EXPECT_NEAR(mean, 1, 4 / std::sqrt(kDraws));
  EXPECT_NEAR(variance, 1, 4 * std::sqrt(8.0 / kDraws));

  // Kolmogorov and Smirnov; 1.95 is passed by chance once in a thousand.
  std::sort(gaps.begin(), gaps.end());
  double worst = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double truth = -std::expm1(-gaps[static_cast<std::size_t>(i)]);
    worst = std::max({worst, std::abs(truth - i / double{kDraws}),
                      std::abs(truth - (i + 1) / double{kDraws})});
  }
  EXPECT_LT(worst * std::sqrt(kDraws), 1.95);
}

TEST(ByteSamplerTest, TakesABlockWithTheChanceThatItsSizeGives) {
  constexpr std::uint32_t kMean = 1000;
  constexpr int kBlocks = 200000;
  for (const std::uint64_t bytes : {0, 1, 10, 100, 1000, 2500, 16000}) {
    ZeroedSampler zeroed;
    int taken = 0;
    for (int i = 0; i < kBlocks; ++i) {
      taken += zeroed.Sampled(bytes, kMean, bytes) ? 1 : 0;
    }
    const double chance =
        -std::expm1(-std::max(1.0, static_cast<double>(bytes)) / kMean);
    EXPECT_NEAR(taken, kBlocks * chance,
                1 + 4 * std::sqrt(kBlocks * chance * (1 - chance)))
        << bytes;
  }
}

TEST(ByteSamplerTest, ChancesDoNotDependOnTheBlocksBetween) {
  constexpr std::uint32_t kMean = 4096;
  constexpr int kRounds = 100000;
  ZeroedSampler zeroed;
  int taken = 0;
  for (int i = 0; i < kRounds; ++i) {
    (void)zeroed.Sampled(9000, kMean, 5);
    taken += zeroed.Sampled(400, kMean, 5) ? 1 : 0;
    (void)zeroed.Sampled(0, kMean, 5);
  }
  const double chance = -std::expm1(-400.0 / kMean);
  EXPECT_NEAR(taken, kRounds * chance, 4 * std::sqrt(kRounds * chance));
}

TEST(ByteSamplerTest, DoesNotTakeTheFirstBlockOfAThreadJustBecauseItIsFirst) {
  constexpr std::uint32_t kMean = 10000;
  constexpr int kThreads = 100000;
  int taken = 0;
  for (int thread = 0; thread < kThreads; ++thread) {
    ZeroedSampler zeroed;
    taken += zeroed.Sampled(1000, kMean, static_cast<unsigned>(thread));
  }
  const double chance = -std::expm1(-0.1);
  EXPECT_NEAR(taken, kThreads * chance, 4 * std::sqrt(kThreads * chance));
}

TEST(ByteSamplerTest, TakesEveryBlockWithoutAMean) {
  ZeroedSampler zeroed;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(zeroed.Sampled(1, 0, 1));
  EXPECT_EQ(WeightOf(123, 0x1000, 0).bytes, 123U);
  EXPECT_EQ(WeightOf(123, 0x1000, 0).objects, 1U);
}

TEST(ByteSamplerTest, SurvivesSizesThatNoAllocatorGives) {
  ZeroedSampler zeroed;
  for (const std::uint64_t bytes : {~0ULL, 1ULL << 63, 1ULL << 62, 0ULL}) {
    (void)zeroed.Sampled(bytes, 1U << 19, 1);
    const SampleWeight weight = WeightOf(bytes, 0x1000, 1U << 19);
    EXPECT_GE(weight.bytes, bytes);
  }
  EXPECT_LE(zeroed.sampler.countdown(), 64LL << 19);
}

TEST(SampleWeightTest, IsTheReciprocalOfTheChanceOnAverageOverAddresses) {
  constexpr int kAddresses = 100000;
  for (const std::uint32_t mean : {1000U, 1U << 19, 0xffffffffU}) {
    for (double factor : {0.001, 0.1, 0.7, 1.0, 1.5, 3.0, 8.0, 16.0}) {
      const auto bytes = static_cast<std::uint64_t>(mean * factor);
      double objects = 0;
      double sum = 0;
      for (int i = 0; i < kAddresses; ++i) {
        const auto weight = WeightOf(
            bytes, 0x7f0000000010 + 32ULL * static_cast<unsigned>(i), mean);
        objects += static_cast<double>(weight.objects);
        sum += static_cast<double>(weight.bytes);
      }
      const double truth = 1 / -std::expm1(-static_cast<double>(bytes) / mean);
      // The rounding of each is at most half a block off.
      const double sigma = 0.5 / std::sqrt(kAddresses);
      EXPECT_NEAR(objects / kAddresses, truth, 4 * sigma) << mean << factor;
      EXPECT_NEAR(sum / kAddresses, truth * static_cast<double>(bytes),
                  4 * sigma + 1e-9 * truth * static_cast<double>(bytes))
          << mean << factor;
    }
  }
}

TEST(SampleWeightTest, OfALargeBlockIsTheBlock) {
  for (std::uint64_t bytes = 44ULL << 19; bytes < 1ULL << 47; bytes *= 3) {
    EXPECT_EQ(WeightOf(bytes, bytes, 1U << 19).bytes, bytes);
    EXPECT_EQ(WeightOf(bytes, bytes, 1U << 19).objects, 1U);
  }
}

TEST(SampleWeightTest, OfAnEmptyBlockCountsObjectsAlone) {
  const SampleWeight weight = WeightOf(0, 0x1000, 5000);
  EXPECT_EQ(weight.bytes, 0U);
  EXPECT_NEAR(static_cast<double>(weight.objects), 5000.5, 1);
}

TEST(SampleWeightTest, EstimatesAreTrueForEverySize) {
  constexpr std::uint32_t kMean = 4096;
  constexpr int kBlocks = 100000;
  std::vector<std::uint64_t> sizes = {1, 7, 64, 500, 1000, 2048, 3000};
  for (std::uint64_t n = 1; n <= 16; ++n) sizes.push_back(n * kMean);
  for (const std::uint64_t bytes : sizes) {
    ZeroedSampler zeroed;
    double objects = 0;
    double sum = 0;
    for (int i = 0; i < kBlocks; ++i) {
      if (!zeroed.Sampled(bytes, kMean, bytes * 31)) continue;
      const SampleWeight weight = WeightOf(
          bytes, 0x5500000010 + 48ULL * static_cast<unsigned>(i), kMean);
      objects += static_cast<double>(weight.objects);
      sum += static_cast<double>(weight.bytes);
    }
    // Each block: chance p, weight 1 / p, and up to half a block of rounding.
    const double p = -std::expm1(-static_cast<double>(bytes) / kMean);
    const double sigma = std::sqrt(kBlocks * ((1 - p) / p + p / 4));
    EXPECT_NEAR(objects, kBlocks, 4 * sigma + 1) << bytes;
    EXPECT_NEAR(sum, static_cast<double>(bytes) * kBlocks,
                static_cast<double>(bytes) * (4 * sigma + 1))
        << bytes;
  }
}

TEST(SampleWeightTest, LiveEstimateFollowsAMixedSetAndEndsAtZero) {
  constexpr std::uint32_t kMean = 32768;
  constexpr int kSteps = 300000;
  struct Block {
    std::uint64_t address;
    std::uint64_t bytes;
    bool sampled;
  };
  std::mt19937_64 random(3);
  std::vector<Block> live;
  ZeroedSampler zeroed;
  std::int64_t estimate_bytes = 0;
  std::int64_t estimate_objects = 0;
  std::int64_t true_bytes = 0;
  double variance = 0;  // of the estimate of live bytes
  const auto free_one = [&](std::size_t at) {
    const Block block = live[at];
    live[at] = live.back();
    live.pop_back();
    const auto s = static_cast<double>(block.bytes);
    const double p = -std::expm1(-s / kMean);
    variance -= s * s * (1 - p) / p;
    true_bytes -= static_cast<std::int64_t>(block.bytes);
    if (!block.sampled) return;
    const SampleWeight weight = WeightOf(block.bytes, block.address, kMean);
    estimate_bytes -= static_cast<std::int64_t>(weight.bytes);
    estimate_objects -= static_cast<std::int64_t>(weight.objects);
  };
  for (int step = 0; step < kSteps; ++step) {
    // Log-uniform from 1 byte to 1 MiB.
    const std::uint64_t bytes = 1 + (random() >> (44 + random() % 20));
    const Block block{0x10 + 64ULL * static_cast<unsigned>(step), bytes,
                      zeroed.Sampled(bytes, kMean, 77)};
    live.push_back(block);
    true_bytes += static_cast<std::int64_t>(bytes);
    const auto s = static_cast<double>(bytes);
    const double p = -std::expm1(-s / kMean);
    variance += s * s * (1 - p) / p;
    if (block.sampled) {
      const SampleWeight weight = WeightOf(bytes, block.address, kMean);
      estimate_bytes += static_cast<std::int64_t>(weight.bytes);
      estimate_objects += static_cast<std::int64_t>(weight.objects);
    }
    if (live.size() > 20000 || random() % 3 == 0) {
      free_one(random() % live.size());
    }
    if (step % 50000 == 49999) {
      EXPECT_NEAR(static_cast<double>(estimate_bytes),
                  static_cast<double>(true_bytes), 4 * std::sqrt(variance))
          << step;
    }
  }
  while (!live.empty()) free_one(live.size() - 1);
  EXPECT_EQ(estimate_bytes, 0);
  EXPECT_EQ(estimate_objects, 0);
}

}  // namespace
}  // namespace heapledger::preload
