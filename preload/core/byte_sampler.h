// SPDX-License-Identifier: Apache-2.0
// Sampling by bytes: a Poisson process runs over the bytes that a thread
// allocates, one point every `mean` bytes on average, and a block that covers a
// point is a sample. So a block of s bytes is taken with the probability
// 1 - exp(-s / mean), whatever came before it, and stands for the reciprocal.
//
// All arithmetic is on integers. The target may have changed rounding, flushing
// or trapping of floating point, and what a free books must be what the
// allocation booked, bit for bit.
//
// Thread safety: a sampler belongs to one thread. A signal handler on it may
// sample in between or jump out: a gap is then drawn once too often or a moment
// late, nothing else. WeightOf() is a pure function.
#pragma once

#include <bit>
#include <cstdint>

#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

// Fixed point with 56 binary places: room for 8 bits before them.
class Fixed {
 public:
  static constexpr std::uint32_t kPlaces = 56;
  static constexpr std::uint64_t kOne = std::uint64_t{1} << kPlaces;

  __extension__ using Wide = unsigned __int128;

  static constexpr std::uint64_t Multiply(std::uint64_t a, std::uint64_t b) {
    return static_cast<std::uint64_t>((Wide{a} * b) >> kPlaces);
  }

  // -ln(random / 2^64), for random > 0.
  static constexpr std::uint64_t NegativeLog(std::uint64_t random) {
    // random = 2^(63 - zeros) * v, 1 <= v < 2. Each squaring of v brings the
    // next binary place of its logarithm before the point.
    const int zeros = std::countl_zero(random);
    std::uint64_t v = random << zeros;  // 63 places
    std::uint64_t log2_v = 0;
    for (std::uint64_t place = kOne >> 1; place != 0; place >>= 1) {
      const Wide square = Wide{v} * v;  // 126 places
      const bool carry = (square >> 127) != 0;
      v = static_cast<std::uint64_t>(square >> (carry ? 64 : 63));
      if (carry) log2_v += place;
    }
    const std::uint64_t negative_log2 =
        (static_cast<std::uint64_t>(zeros) + 1) * kOne - log2_v;
    constexpr std::uint64_t kLn2 = 0xb17217f7d1cf79abULL;  // 64 places
    return static_cast<std::uint64_t>((Wide{negative_log2} * kLn2) >> 64);
  }

  // x / (1 - exp(-x)), for x < 64; relative error below 1e-14.
  static constexpr std::uint64_t PerChance(std::uint64_t x) {
    // p(x) = (1 - exp(-x)) / x: by its series for small x, and from there by
    // p(2x) = p(x) * (1 - x * p(x) / 2), which does not make errors grow.
    int doublings = 0;
    while ((x >> doublings) > kOne / 4) ++doublings;
    std::uint64_t r = x >> doublings;
    std::uint64_t p = kOne;
    for (std::uint64_t n = 13; n >= 2; --n) p = kOne - Multiply(r, p) / n;
    for (; doublings > 0; --doublings, r <<= 1) {
      p -= Multiply(Multiply(r, p), p) / 2;
    }
    // 1 / p: a division for the first half of the places, and a step of
    // Newton's for the rest.
    const std::uint64_t guess = (std::uint64_t{1} << 63) / (p >> 25);  // 32
    const auto product = static_cast<std::uint64_t>((Wide{p} * guess) >> 32);
    return static_cast<std::uint64_t>((Wide{guess} * (2 * kOne - product)) >>
                                      32);
  }

  // a / b, for b < 2^32 and a / b < 64.
  static constexpr std::uint64_t Quotient(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t upper = ((a % b) << 28) / b;
    const std::uint64_t lower = ((((a % b) << 28) % b) << 28) / b;
    return ((a / b) << kPlaces) + (upper << 28) + lower;
  }
};

class ByteSampler {
 public:
  // Whether the block of so many bytes is perhaps a sample: ask TakeSlow().
  // The first block that a zeroed sampler sees always is.
  bool Take(std::uint64_t bytes) {
    countdown_ = static_cast<std::int64_t>(
        static_cast<std::uint64_t>(countdown_) - bytes - (bytes == 0));
    return countdown_ < 0;
  }

  // Whether the block for which Take() said yes is a sample. Then the next gap
  // is drawn already. `seed` is what a sampler that has none yet starts from.
  [[gnu::noinline]] bool TakeSlow(std::uint64_t bytes, std::uint32_t mean,
                                  std::uint64_t seed) {
    if (random_ == 0) {
      Seed(seed);
      Restart(mean);
      if (!Take(bytes)) return false;
    }
    Restart(mean);
    return true;
  }

  // Equal seeds give equal gaps; neighbouring ones give unrelated gaps.
  void Seed(std::uint64_t seed) {
    random_ = Mix(seed, 0x2545f4914f6cdd1dULL) | 1;
  }

  // Draws the gap to the next point. The process has no memory, so this may be
  // done at any time, as when the mean changes. A mean of 0 or 1 takes (nearly)
  // every block.
  void Restart(std::uint32_t mean) {
    const Fixed::Wide gap = Fixed::Wide{Fixed::NegativeLog(Next())} * mean;
    countdown_ = static_cast<std::int64_t>(gap >> Fixed::kPlaces);
  }

  // How many bytes may still pass before a sample.
  std::int64_t countdown() const { return countdown_; }

 private:
  // splitmix64, without its zeros.
  std::uint64_t Next() {
    std::uint64_t z = random_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return z != 0 ? z : 1;
  }

  std::int64_t countdown_ = 0;
  std::uint64_t random_ = 0;  // 0: not seeded
};

struct SampleWeight {
  std::uint64_t bytes;
  std::uint64_t objects;
};

// What a taken block stands for: 1 / (1 - exp(-s / mean)) blocks of s bytes
// each. Fractions are rounded up or down by a hash of the address, so that the
// sum over many blocks is true, and the free finds what the allocation found.
// NOTE: a program that gets one address for one size over and over rounds the
// same way each time: its cumulative number of objects (never its bytes by more
// than one each, nor what is live) is then off by up to a factor of 1.27.
inline SampleWeight WeightOf(std::uint64_t bytes, std::uint64_t address,
                             std::uint32_t mean) {
  const std::uint64_t s = bytes != 0 ? bytes : 1;
  // exp(-44) is below the last place. And s stays below 2^38.
  if (mean == 0 || s / mean >= 44) return {bytes, 1};
  const Fixed::Wide stands_for =
      Fixed::Wide{Fixed::PerChance(Fixed::Quotient(s, mean))} * mean;
  const auto whole = static_cast<std::uint64_t>(stands_for >> Fixed::kPlaces);
  const std::uint64_t fraction =
      static_cast<std::uint64_t>(stands_for) & (Fixed::kOne - 1);

  const std::uint64_t hash = Mix(address, bytes);
  const std::uint64_t chance = hash & (Fixed::kOne - 1);
  const std::uint64_t other_chance = Mix(hash, address) & (Fixed::kOne - 1);
  // Rest of whole.fraction / s against chance, both times s.
  const Fixed::Wide rest =
      (Fixed::Wide{whole % s} << Fixed::kPlaces) | fraction;
  SampleWeight weight;
  weight.objects = whole / s + (Fixed::Wide{chance} * s < rest ? 1 : 0);
  weight.bytes = bytes == 0 ? 0 : whole + (other_chance < fraction ? 1 : 0);
  return weight;
}

}  // namespace heapledger::preload
