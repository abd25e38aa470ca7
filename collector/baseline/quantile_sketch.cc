// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/quantile_sketch.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace heapledger::collector::baseline {
namespace {

// Bucket i holds (g^(i-1), g^i]. Its value 2 g^i / (g + 1) is off by the same
// share at both bounds, which is 1 % for this g.
constexpr double kGamma =
    (1 + QuantileSketch::kRelativeError) / (1 - QuantileSketch::kRelativeError);
constexpr double kLeast = 1e-9;
constexpr double kGreatest = 18446744073709551616.0;

std::int32_t BucketOf(double value) {
  return static_cast<std::int32_t>(
      std::ceil(std::log(value) / std::log(kGamma)));
}

double ValueOf(std::int32_t bucket) {
  return 2 * std::pow(kGamma, bucket) / (kGamma + 1);
}

// The value at rank q * (n - 1) of those that `at` gives by rank.
template <typename ValueAt>
double Between(double q, std::uint64_t n, ValueAt&& at) {
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(n - 1);
  const auto below = static_cast<std::uint64_t>(rank);
  const double low = at(below);
  const double share = rank - static_cast<double>(below);
  if (share == 0 || below + 1 >= n) return low;
  return low + share * (at(below + 1) - low);
}

}  // namespace

void QuantileSketch::Add(double value) {
  if (!(value >= 0)) return;
  value = std::min(value, kGreatest);
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  // Welford: sums of squares would lose the deviation of large values.
  const double from_mean = value - mean_;
  mean_ += from_mean / static_cast<double>(count_);
  squares_ += from_mean * (value - mean_);
  if (value < kLeast) {
    ++zeros_;
  } else {
    ++buckets_[BucketOf(value)];
  }
}

void QuantileSketch::Merge(const QuantileSketch& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    *this = other;
    return;
  }
  const auto ours = static_cast<double>(count_);
  const auto theirs = static_cast<double>(other.count_);
  const double apart = other.mean_ - mean_;
  squares_ += other.squares_ + apart * apart * ours * theirs / (ours + theirs);
  mean_ += apart * theirs / (ours + theirs);
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  zeros_ += other.zeros_;
  for (const auto& [bucket, count] : other.buckets_) buckets_[bucket] += count;
}

double QuantileSketch::ValueAt(std::uint64_t rank) const {
  // The ends are known exactly.
  if (rank == 0) return min_;
  if (rank + 1 >= count_) return max_;
  if (rank < zeros_) return std::clamp(0.0, min_, max_);
  std::uint64_t passed = zeros_;
  for (const auto& [bucket, count] : buckets_) {
    passed += count;
    if (rank < passed) return std::clamp(ValueOf(bucket), min_, max_);
  }
  return max_;
}

double QuantileSketch::Quantile(double q) const {
  return Between(q, count_,
                 [this](std::uint64_t rank) { return ValueAt(rank); });
}

double QuantileSketch::MedianDeviation() const {
  const double median = Quantile(0.5);
  std::vector<std::pair<double, std::uint64_t>> distances;
  if (zeros_ > 0) distances.emplace_back(median, zeros_);
  for (const auto& [bucket, count] : buckets_) {
    const double value = std::clamp(ValueOf(bucket), min_, max_);
    distances.emplace_back(std::abs(value - median), count);
  }
  std::ranges::sort(distances);
  return Between(0.5, count_, [&distances](std::uint64_t rank) {
    for (const auto& [distance, count] : distances) {
      if (rank < count) return distance;
      rank -= count;
    }
    return distances.back().first;
  });
}

std::optional<double> QuantileSketch::StandardDeviation() const {
  if (count_ < 2) return std::nullopt;
  return std::sqrt(std::max(squares_, 0.0) / static_cast<double>(count_ - 1));
}

QuantileSketch::Parts QuantileSketch::parts() const {
  return {count_, min_, max_, mean_, squares_, zeros_, buckets_};
}

std::optional<QuantileSketch> QuantileSketch::FromParts(const Parts& parts) {
  if (parts.count == 0) {
    return parts == Parts() ? std::optional(QuantileSketch()) : std::nullopt;
  }
  if (!(parts.min >= 0 && parts.min <= parts.mean && parts.mean <= parts.max &&
        parts.max <= kGreatest) ||
      !(parts.squares >= 0) || !std::isfinite(parts.squares)) {
    return std::nullopt;
  }
  // A sum that overflows is a count that nobody made.
  std::uint64_t left = parts.count;
  if (parts.zeros > left || (parts.zeros > 0) != (parts.min < kLeast)) {
    return std::nullopt;
  }
  left -= parts.zeros;
  for (const auto& [bucket, count] : parts.buckets) {
    if (count == 0 || count > left || bucket < BucketOf(kLeast) ||
        bucket > BucketOf(kGreatest)) {
      return std::nullopt;
    }
    left -= count;
  }
  if (left != 0) return std::nullopt;
  QuantileSketch sketch;
  sketch.count_ = parts.count;
  sketch.min_ = parts.min;
  sketch.max_ = parts.max;
  sketch.mean_ = parts.mean;
  sketch.squares_ = parts.squares;
  sketch.zeros_ = parts.zeros;
  sketch.buckets_ = parts.buckets;
  return sketch;
}

}  // namespace heapledger::collector::baseline
