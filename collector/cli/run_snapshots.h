// SPDX-License-Identifier: Apache-2.0
// Snapshots that `run` takes of the program that it started: at its end, every
// so often, and of its highest moment. Of the program itself, or where the name
// has %p of each process of its tree.
//
// The highest moment is found by looking: the live bytes are read every few
// milliseconds and the counters kept whenever they are higher than before. The
// file's facts tell what was seen and what the exact peak was ("peak").
//
// Thread safety: one thread; while the program runs, files are written by a
// forked child, so that signals are passed on meanwhile.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "collector/cli/file_format.h"
#include "collector/cli/output_file.h"
#include "collector/cli/symbols.h"
#include "collector/shm/ledger_reader.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

struct SnapshotPlan {
  std::string output;  // at the end; empty: none
  bool at_peak = false;
  std::optional<std::chrono::nanoseconds> every;
  std::size_t keep = 24;  // files of `every`; the oldest go
  Overwrite overwrite = Overwrite::kRefuse;

  [[nodiscard]] bool wanted() const {
    return !output.empty() || at_peak || every.has_value();
  }
};

// "30s", "1m30s", "0.5h"; a second at least. InvalidArgument else.
[[nodiscard]] absl::StatusOr<std::chrono::nanoseconds> ParseInterval(
    const std::string& text);

class RunSnapshots {
 public:
  // InvalidArgument for a name that tells no format or has a wrong sign.
  static absl::StatusOr<RunSnapshots> Create(const SnapshotPlan& plan,
                                             const std::string& directory);

  // How often Tick() wants to be called.
  [[nodiscard]] std::chrono::milliseconds interval() const;
  void Tick(pid_t root);

  // A ledger that is about to be removed.
  void BeforeRemoval(const std::string& path);

  // Once the program has ended: what is still to be written, with a sentence on
  // each file, or on what went wrong.
  std::vector<std::string> Finish(pid_t root);

 private:
  using Clock = std::chrono::steady_clock;

  // A process that is looked at for its peak.
  struct Watched {
    std::unique_ptr<LedgerReader> reader;
    std::shared_ptr<const LedgerSnapshot> highest;
    Clock::time_point next{};  // not before then: looks must stay cheap
  };

  RunSnapshots(const SnapshotPlan& plan, const std::string& directory);
  [[nodiscard]] bool Wants(std::uint32_t pid, pid_t root) const;
  [[nodiscard]] std::string Base() const;
  void LookForPeaks(pid_t root);
  void LookAt(Watched& watched);
  void TakeOneOfMany(pid_t root);
  void Reap();
  std::string Write(const std::shared_ptr<const LedgerSnapshot>& snapshot,
                    const std::string& pattern,
                    const nlohmann::ordered_json& more_facts =
                        nlohmann::ordered_json::object());
  std::string WritePeak(const Watched& watched,
                        const LedgerSnapshot& at_the_end);

  SnapshotPlan plan_;
  std::string directory_;
  FileFormat format_;
  Symbols symbols_;
  std::map<std::string, Watched> watched_;  // by ledger path and inode
  Clock::time_point next_search_{};
  Clock::time_point next_of_many_{};
  std::deque<std::string> of_many_;  // files, oldest first
  std::uint64_t number_ = 0;
  pid_t writer_ = 0;  // the child at work; 0: none
};

}  // namespace heapledger::collector::cli
