// SPDX-License-Identifier: Apache-2.0
// Quantiles of a stream in bounded memory: values are counted in buckets whose
// bounds grow by a factor, so that every value is known to within 1 % of
// itself, however many there are (the idea of DDSketch). Count, least,
// greatest, mean and deviation are exact. Two sketches add up to the sketch of
// both streams.
//
// Values are >= 0; what lies below 1e-9 counts as 0, and 2^64 is the end.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace heapledger::collector::baseline {

class QuantileSketch {
 public:
  static constexpr double kRelativeError = 0.01;

  // What is below 0 or no number is left out.
  void Add(double value);
  void Merge(const QuantileSketch& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // REQUIRES: count() > 0, for these five.
  [[nodiscard]] double min() const { return min_; }
  [[nodiscard]] double max() const { return max_; }
  [[nodiscard]] double mean() const { return mean_; }
  // `q` from 0 to 1. The value at rank q * (n - 1), between two values on the
  // line that joins them: never beyond the greatest.
  [[nodiscard]] double Quantile(double q) const;
  // Median of the distances to the median; exact to 1 % of the median.
  [[nodiscard]] double MedianDeviation() const;

  // Of the sample (n - 1); none for fewer than two values.
  [[nodiscard]] std::optional<double> StandardDeviation() const;

  // The parts, for a file.
  struct Parts {
    std::uint64_t count = 0;
    double min = 0;
    double max = 0;
    double mean = 0;
    double squares = 0;  // of the distances to the mean, summed
    std::uint64_t zeros = 0;
    std::map<std::int32_t, std::uint64_t> buckets;
    friend bool operator==(const Parts&, const Parts&) = default;
  };
  [[nodiscard]] Parts parts() const;
  // None where the parts contradict each other.
  [[nodiscard]] static std::optional<QuantileSketch> FromParts(
      const Parts& parts);

 private:
  // The value that stands at `rank` from 0.
  [[nodiscard]] double ValueAt(std::uint64_t rank) const;

  std::uint64_t count_ = 0;
  double min_ = 0;
  double max_ = 0;
  double mean_ = 0;
  double squares_ = 0;
  std::uint64_t zeros_ = 0;
  std::map<std::int32_t, std::uint64_t> buckets_;  // at most 3300
};

}  // namespace heapledger::collector::baseline
