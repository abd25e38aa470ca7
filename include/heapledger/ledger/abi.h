// SPDX-License-Identifier: Apache-2.0
// Identity and limits of the ledger, the file that libheapledger.so writes and
// the collector reads. Both ends are built from these constants; a reader
// refuses any other abi_version with one sentence and does not guess.
#pragma once

#include <cstdint>

namespace heapledger::ledger {

// "HPLEDGER" as a little-endian word; stored last when a ledger is created, so
// that a file without it is one whose creation never finished.
inline constexpr std::uint64_t kMagic = 0x524547444c455048ULL;
inline constexpr std::uint32_t kAbiVersion = 2;

// The unit in which the file grows; fixed, whatever the machine's page size.
inline constexpr std::uint32_t kPageBytes = 4096;

// A ledger file is sparse up to its cap. The default cap lets one ledger live
// inside a 64 MiB /dev/shm with room to spare.
inline constexpr std::uint64_t kDefaultCapBytes = 48ULL << 20;
inline constexpr std::uint64_t kMinimumCapBytes = 1ULL << 20;
inline constexpr std::uint64_t kMaximumCapBytes = 1ULL << 30;

// Fixed regions at the front of the file, in pages.
inline constexpr std::uint32_t kHeaderPage = 0;
inline constexpr std::uint32_t kShardPage = 1;
inline constexpr std::uint32_t kExtentPage = 2;
inline constexpr std::uint32_t kExtentPages = 32;
inline constexpr std::uint32_t kFirstDataPage = kExtentPage + kExtentPages;

inline constexpr std::uint32_t kExtentCapacity =
    kExtentPages * kPageBytes / 16;  // 16 = sizeof(Extent)

// Shards 0 .. kSharedShards-1 take atomic adds from any thread; the rest are
// each written by one thread at a time with plain adds. 24 in all keep 50,000
// callsites within 48 MB (see architecture notes on counters).
inline constexpr std::uint32_t kSharedShards = 4;
inline constexpr std::uint32_t kShardCount = 24;

// Callsite ids fit the 24 bits that a slot of the object map gives them.
inline constexpr std::uint32_t kCallsiteBits = 24;
inline constexpr std::uint32_t kMaxCallsites = 1U << kCallsiteBits;
// Id 0 means "no callsite". Id 1 takes what no callsite could be made for.
inline constexpr std::uint32_t kNoCallsite = 0;
inline constexpr std::uint32_t kOverflowCallsite = 1;
inline constexpr std::uint32_t kFirstCallsite = 2;

// Deepest stack that --max-depth accepts; deeper ones are cut and say so.
inline constexpr std::uint32_t kMaxStackDepth = 512;
inline constexpr std::uint32_t kDefaultStackDepth = 128;

}  // namespace heapledger::ledger
