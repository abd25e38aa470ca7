// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/memory_look.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/shm/live_blocks.h"
#include "collector/shm/page_map.h"
#include "collector/shm/process_identity.h"
#include "collector/system/process_memory.h"
#include "collector/system/read_file.h"
#include "collector/system/smaps.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;
using State = HeapPageCounter::State;

// Memory that is looked at in one go: bounds what a reader needs itself.
constexpr std::uint64_t kStretchBytes = 16 << 20;

// The way to give up detail that leaves blocks unknown.
constexpr std::string_view kUntracked = "untracked_block";

// The ledger's file without directories, as mappings name it.
std::string FileName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Why the live blocks are not all known; empty where they are.
std::string WhyNotExact(const LedgerSnapshot& snapshot) {
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    if (snapshot.degraded[kind] != 0 && DegradedWord(kind) == kUntracked) {
      return "it has blocks that no account was kept of; heapledger doctor "
             "says why";
    }
  }
  if (snapshot.estimated()) {
    return "its blocks are sampled, and free memory is known by all of them "
           "only; start it with heapledger run";
  }
  if (snapshot.mode != MeasureMode::kExact || snapshot.armed_realtime_ns != 0 ||
      snapshot.disarmed_realtime_ns != 0) {
    return "it was dormant for a time, so blocks are unknown; start it with "
           "heapledger run";
  }
  return "";
}

class Looker {
 public:
  Looker(LiveBlocks& blocks, PageMap& pages, Clock::time_point deadline)
      : blocks_(blocks), pages_(pages), deadline_(deadline) {}

  absl::Status Look(const MemoryRange& range, bool of_malloc) {
    for (std::uint64_t at = range.start; at < range.end;) {
      const std::uint64_t next = std::min(
          range.end, at / kStretchBytes * kStretchBytes + kStretchBytes);
      if (Clock::now() > deadline_) {
        return absl::DeadlineExceededError("it takes too long");
      }
      const absl::Status looked = Stretch(at, next, of_malloc);
      if (!looked.ok()) return looked;
      at = next;
    }
    return absl::OkStatus();
  }

  const HeapPages& Finish() { return counter_.Finish(); }

 private:
  absl::Status Stretch(std::uint64_t start, std::uint64_t end, bool of_malloc) {
    const absl::Status read =
        pages_.Read(start, (end - start) / kSmallPageBytes, &states_);
    if (!read.ok()) return read;
    std::vector<State> states(states_.size());
    std::ranges::transform(states_, states.begin(), [](PageState state) {
      if (state == PageState::kResident) return State::kResident;
      return state == PageState::kSwapped ? State::kSwapped : State::kAbsent;
    });
    counter_.BeginStretch(start, std::move(states), of_malloc);
    return blocks_.Visit(start, end, [this](const LiveBlock& block) {
      counter_.Block(block.address, block.bytes, block.callsite_id);
    });
  }

  LiveBlocks& blocks_;
  PageMap& pages_;
  const Clock::time_point deadline_;
  HeapPageCounter counter_;
  std::vector<PageState> states_;
};

absl::Status Explain(const absl::Status& status) {
  if (absl::IsPermissionDenied(status)) {
    return absl::PermissionDeniedError(
        "its memory may not be read from here; ask as root, or as its user "
        "with ptrace allowed");
  }
  return status;
}

}  // namespace

absl::StatusOr<MemoryLook> LookAtMemory(const LedgerSnapshot& snapshot,
                                        const DiscoveryOptions& discovery,
                                        std::chrono::nanoseconds budget) {
  if (const std::string why = WhyNotExact(snapshot); !why.empty()) {
    return absl::FailedPreconditionError(why);
  }
  if (LivenessOf(discovery.proc_root, snapshot.identity) != Liveness::kAlive) {
    return absl::NotFoundError(
        "its process is not seen from here; ask in its container or on its "
        "host");
  }
  const std::uint32_t pid = snapshot.identity.pid;
  const std::string directory = absl::StrCat(discovery.proc_root, "/", pid);
  std::vector<MemoryRange> ranges;
  const auto walk =
      WalkSmaps(directory, FileName(snapshot.path), budget, &ranges);
  if (!walk.ok()) return Explain(walk.status());
  const auto blocks = LiveBlocks::Open(pid, directory, snapshot.object_map);
  if (!blocks.ok()) return Explain(blocks.status());
  const auto pages = PageMap::Open(directory);
  if (!pages.ok()) return Explain(pages.status());
  MemoryLook look;
  look.areas_known = snapshot.allocator == Allocator::kGlibc;
  Looker looker(**blocks, **pages, Clock::now() + budget);
  for (const MemoryRange& range : ranges) {
    const auto used = (*blocks)->EverUsed(range.start, range.end);
    if (!used.ok()) return Explain(used.status());
    const bool of_malloc =
        look.areas_known ? range.of_malloc : *used || range.of_malloc;
    if (!*used && !of_malloc) continue;
    if (absl::Status ok = looker.Look(range, of_malloc); !ok.ok()) {
      return Explain(ok);
    }
  }
  look.pages = looker.Finish();
  const auto status = ReadSmallFile(directory + "/status");
  if (!status.ok()) return Explain(status.status());
  const auto memory = ParseStatus(*status);
  if (!memory ||
      LivenessOf(discovery.proc_root, snapshot.identity) != Liveness::kAlive) {
    return absl::NotFoundError("it ended meanwhile");
  }
  look.waterfall = MakeWaterfall(look.pages, walk->areas, *memory);
  return look;
}

}  // namespace heapledger::collector::cli
