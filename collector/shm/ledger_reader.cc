// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/ledger_reader.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/shm/clock.h"
#include "collector/shm/extent_map.h"
#include "collector/shm/header_decoder.h"
#include "collector/shm/leak_reader.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/python_decoder.h"
#include "collector/shm/request_decoder.h"
#include "collector/shm/table_builder.h"
#include "collector/shm/tag_reader.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

using ledger::CounterCell;
using ledger::ExtentKind;
using ledger::Header;
using ledger::kPageBytes;
using ledger::ShardHeader;

constexpr std::uint32_t kCellsPerChunk = ledger::kRecordsPerChunk<CounterCell>;
constexpr std::size_t kCellWords = sizeof(CounterCell) / kWordBytes;

// No writer gets there: 4 EiB through one callsite and shard. A cell beyond is
// noise, and what stays below cannot wrap a sum over shards.
constexpr std::uint64_t kMaximumCount = std::uint64_t{1} << 58;

// Sums are made anew when an extent that they used was taken back meanwhile.
constexpr int kSumAttempts = 4;

// The sum over shards of one callsite's cells.
struct CellSum {
  std::uint64_t values[kCellWords] = {};  // in the order of CounterCell
};
constexpr std::size_t kAllocatedBytes =
    offsetof(CounterCell, allocated_bytes) / kWordBytes;
constexpr std::size_t kAllocatedObjects =
    offsetof(CounterCell, allocated_objects) / kWordBytes;
constexpr std::size_t kFreedBytes =
    offsetof(CounterCell, freed_bytes) / kWordBytes;
constexpr std::size_t kFreedObjects =
    offsetof(CounterCell, freed_objects) / kWordBytes;

using ChunkSums = absl::flat_hash_map<std::uint32_t, std::vector<CellSum>>;

// Takes one field of every cell of a chunk into its sums.
void AddField(std::span<const std::uint64_t> cells, std::size_t field,
              std::vector<CellSum>& sums, std::uint64_t* corrupt) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::uint64_t value = cells[i * kCellWords + field];
    if (value > kMaximumCount) {
      ++*corrupt;
    } else {
      sums[i].values[field] += value;
    }
  }
}

class CounterSums {
 public:
  explicit CounterSums(const MappedLedger& file) : file_(file) {}

  absl::Status Read() {
    for (int attempt = 0; attempt < kSumAttempts; ++attempt) {
      auto extents = file_.ReadExtents();
      if (!extents.ok()) return extents.status();
      const std::vector<ExtentView> used =
          extents->OfKind(ExtentKind::kCounters);
      chunks_.clear();
      corrupt_ = 0;
      // All frees first: then no free is seen without its allocation.
      absl::Status ok = Add(used, {kFreedBytes, kFreedObjects});
      if (ok.ok()) ok = Add(used, {kAllocatedBytes, kAllocatedObjects});
      if (!ok.ok()) return ok;
      extents = file_.ReadExtents();
      if (!extents.ok()) return extents.status();
      if (std::ranges::all_of(used, [&](const ExtentView& extent) {
            return extents->Contains(extent);
          })) {
        return absl::OkStatus();
      }
    }
    return absl::AbortedError(absl::StrCat(
        "read ledger ", file_.path(), ": its extents change at every look"));
  }

  [[nodiscard]] const ChunkSums& chunks() const { return chunks_; }
  [[nodiscard]] std::uint64_t corrupt() const { return corrupt_; }

 private:
  absl::Status Add(std::span<const ExtentView> extents,
                   std::pair<std::size_t, std::size_t> fields) {
    Words cells(kCellsPerChunk * kCellWords);
    for (const ExtentView& extent : extents) {
      if (absl::Status ok = file_.Copy(extent.page, cells); !ok.ok()) {
        return ok;
      }
      std::vector<CellSum>& sums = chunks_[extent.chunk];
      sums.resize(kCellsPerChunk);
      AddField(cells, fields.first, sums, &corrupt_);
      AddField(cells, fields.second, sums, &corrupt_);
    }
    return absl::OkStatus();
  }

  const MappedLedger& file_;
  ChunkSums chunks_;
  std::uint64_t corrupt_ = 0;
};

// Live bytes by the shards' own sums.
std::uint64_t LiveOf(const Words& header,
                     std::span<const std::uint64_t> shards) {
  constexpr std::size_t kShardWords = sizeof(ShardHeader) / kWordBytes;
  __int128 live =
      LoadField<std::int64_t>(header, offsetof(Header, handed_in_bytes));
  for (std::uint32_t i = 0; i < ledger::kShardCount; ++i) {
    live +=
        LoadField<std::int64_t>(shards.subspan(i * kShardWords, kShardWords),
                                offsetof(ShardHeader, net_bytes));
  }
  constexpr __int128 kLimit = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::uint64_t>(std::clamp(live, __int128{0}, kLimit));
}

// The highest sum of live bytes: what the writer saw when it last looked, the
// present one, and the highest that one shard alone may have reached since.
std::uint64_t PeakOf(const Words& header, std::span<const std::uint64_t> shards,
                     std::uint64_t live_bytes) {
  constexpr std::size_t kShardWords = sizeof(ShardHeader) / kWordBytes;
  using Wide = __int128;
  Wide now = LoadField<std::int64_t>(header, offsetof(Header, handed_in_bytes));
  Wide excess = 0;
  for (std::uint32_t i = 0; i < ledger::kShardCount; ++i) {
    const auto shard = shards.subspan(i * kShardWords, kShardWords);
    const Wide net =
        LoadField<std::int64_t>(shard, offsetof(ShardHeader, net_bytes));
    const Wide high =
        LoadField<std::int64_t>(shard, offsetof(ShardHeader, high_water_bytes));
    now += net;
    excess = std::max(excess, high - net);
  }
  const Wide peak = std::max({Wide{LoadField<std::uint64_t>(
                                  header, offsetof(Header, peak_live_bytes))},
                              now + excess, Wide{live_bytes}});
  constexpr Wide kLimit = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::uint64_t>(std::min(peak, kLimit));
}

// freed <= allocated holds for what was read in order; the rest is damage.
HeapCounters CountersOf(const CellSum& sum, bool inherited,
                        std::uint64_t* corrupt) {
  std::uint64_t allocated[] = {sum.values[kAllocatedBytes],
                               sum.values[kAllocatedObjects]};
  std::uint64_t freed[] = {sum.values[kFreedBytes], sum.values[kFreedObjects]};
  for (int i = 0; i < 2; ++i) {
    if (freed[i] <= allocated[i]) continue;
    ++*corrupt;
    freed[i] = allocated[i];
  }
  HeapCounters counters;
  (inherited ? counters.inherited_bytes : counters.allocated_bytes) =
      allocated[0];
  (inherited ? counters.inherited_objects : counters.allocated_objects) =
      allocated[1];
  counters.freed_bytes = freed[0];
  counters.freed_objects = freed[1];
  return counters;
}

}  // namespace

class LedgerReader::Impl {
 public:
  explicit Impl(std::unique_ptr<MappedLedger> file) : file_(std::move(file)) {}

  absl::StatusOr<LedgerSnapshot> Take() {
    if (builder_ == nullptr) builder_ = std::make_unique<TableBuilder>();
    auto snapshot = TakeOnce();
    // Tables read in part are not to be built upon.
    if (!snapshot.ok()) builder_.reset();
    return snapshot;
  }

  absl::StatusOr<std::uint64_t> LiveBytes() {
    Words header;
    if (absl::Status ok = file_->CopyHeader(&header); !ok.ok()) return ok;
    Words shards(ledger::kShardCount * sizeof(ShardHeader) / kWordBytes);
    if (absl::Status ok = file_->Copy(ledger::kShardPage, shards); !ok.ok()) {
      return ok;
    }
    return LiveOf(header, shards);
  }

 private:
  absl::StatusOr<LedgerSnapshot> TakeOnce() {
    LedgerSnapshot snapshot;
    snapshot.path = file_->path();
    snapshot.lineage = builder_->lineage();
    // Before the tables: whoever is in a finished scan is in them.
    LeakReader leaks(*file_);
    absl::Status ok = leaks.Read();
    CounterSums sums(*file_);
    if (ok.ok()) ok = sums.Read();
    ScopeSums scopes(*file_);
    if (ok.ok()) ok = scopes.Read();
    if (ok.ok()) ok = builder_->Update(*file_);
    if (!ok.ok()) return ok;
    if (scopes.has_other()) builder_->OtherTagIndex();
    snapshot.taken_monotonic_ns = ClockNs(CLOCK_MONOTONIC);
    snapshot.taken_realtime_ns = ClockNs(CLOCK_REALTIME);
    snapshot.corrupt_records = sums.corrupt();
    Book(sums.chunks(), snapshot);
    snapshot.corrupt_records += builder_->corrupt_records();
    leaks.Book(builder_->index_of_callsite(), snapshot);
    scopes.Book(builder_->index_of_tag(), snapshot);
    auto python = ReadPython(*file_, &snapshot.corrupt_records);
    if (!python.ok()) return python.status();
    snapshot.python = *std::move(python);
    if (ok = FinishHeader(snapshot); !ok.ok()) return ok;
    return snapshot;
  }

  // Counters by callsite index, and their total.
  void Book(const ChunkSums& chunks, LedgerSnapshot& snapshot) {
    struct Booking {
      std::uint32_t index;
      const CellSum* sum;
    };
    std::vector<Booking> bookings;
    for (const auto& [chunk, sums] : chunks) {
      for (std::uint32_t i = 0; i < kCellsPerChunk; ++i) {
        const bool empty = std::ranges::all_of(
            sums[i].values, [](std::uint64_t value) { return value == 0; });
        if (empty) continue;
        const std::uint32_t id = chunk * kCellsPerChunk + i;
        const auto known = builder_->index_of_callsite().find(id);
        if (known != builder_->index_of_callsite().end()) {
          bookings.push_back({known->second, &sums[i]});
          continue;
        }
        if (id != ledger::kOverflowCallsite) ++snapshot.corrupt_records;
        bookings.push_back({builder_->OverflowIndex(), &sums[i]});
      }
    }
    snapshot.tables = builder_->tables();
    const std::vector<CallsiteInfo>& callsites = snapshot.tables->callsites;
    snapshot.counters.resize(callsites.size());
    for (const auto& [index, sum] : bookings) {
      const HeapCounters counters = CountersOf(*sum, callsites[index].inherited,
                                               &snapshot.corrupt_records);
      snapshot.counters[index] += counters;
      snapshot.totals += counters;
      if (callsites[index].cut) snapshot.cut += counters;
    }
  }

  // Read last: a state of `exited` then covers all counts.
  absl::Status FinishHeader(LedgerSnapshot& snapshot) {
    Words header;
    if (absl::Status ok = file_->CopyHeader(&header); !ok.ok()) return ok;
    Words shards(ledger::kShardCount * sizeof(ShardHeader) / kWordBytes);
    if (absl::Status ok = file_->Copy(ledger::kShardPage, shards); !ok.ok()) {
      return ok;
    }
    const auto extents = file_->ReadExtents();
    if (!extents.ok()) return extents.status();
    DecodeHeader(header, snapshot);
    DecodeRequests(header, snapshot);
    snapshot.peak_live_bytes =
        PeakOf(header, shards, snapshot.totals.live_bytes());
    snapshot.corrupt_records += extents->invalid() + extents->conflicts();
    const std::uint64_t directory_pages =
        1 + LoadField<std::uint32_t>(header, offsetof(Header, extent_count)) /
                (kPageBytes / sizeof(ledger::Extent));
    snapshot.ledger_bytes =
        (ledger::kExtentPage +
         std::min<std::uint64_t>(directory_pages, ledger::kExtentPages) +
         extents->pages()) *
        kPageBytes;
    return absl::OkStatus();
  }

  std::unique_ptr<MappedLedger> file_;
  std::unique_ptr<TableBuilder> builder_;
};

LedgerReader::LedgerReader(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
LedgerReader::~LedgerReader() = default;

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::Adopt(
    int descriptor, std::string path) {
  auto mapped = MappedLedger::Map(descriptor, std::move(path));
  if (!mapped.ok()) return mapped.status();
  return std::unique_ptr<LedgerReader>(
      new LedgerReader(std::make_unique<Impl>(*std::move(mapped))));
}

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::Open(
    const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    char buffer[128];
    return absl::NotFoundError(absl::StrCat(
        "open ledger ", path, ": ", strerror_r(errno, buffer, sizeof buffer)));
  }
  return Adopt(descriptor, path);
}

absl::StatusOr<LedgerSnapshot> LedgerReader::Take() { return impl_->Take(); }

absl::StatusOr<std::uint64_t> LedgerReader::LiveBytes() {
  return impl_->LiveBytes();
}

}  // namespace heapledger::collector
