// SPDX-License-Identifier: Apache-2.0
// The ledger file of this process: its directory, its name, its first pages,
// and the marker that stands for it where none can be had.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "heapledger/ledger/name.h"
#include "preload/config.h"

namespace heapledger::preload {

// Who this process is; read from /proc once per image and once per fork.
struct Identity {
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint64_t start_time_ticks = 0;
  // Set in a forked child.
  std::uint32_t parent_pid = 0;
  std::uint64_t parent_start_time_ticks = 0;
  char comm[16] = {};

  void Read();
};

struct Segment {
  static constexpr std::size_t kPathBytes =
      Config::kDirectoryBytes + 32 + ledger::kNameBytes;

  std::byte* base = nullptr;
  std::uint64_t cap_bytes = 0;
  ledger::OffReason off = ledger::OffReason::kNone;
  char path[kPathBytes] = {};
};

// Creates, populates and maps the ledger and writes its header except `magic`
// and `state`. No descriptor stays open. On failure `off` says why and nothing
// is left behind.
Segment CreateSegment(const Config& config, const Identity& identity);

// Undoes it, for a ledger that is of no use after all.
void DropSegment(Segment* segment);

// Makes the ledger valid for readers.
void PublishSegment(const Segment& segment);

// Leaves the reason for not measuring where `ps` and `doctor` look for it.
// Needs no descriptor and no space; may fail silently.
void LeaveOffMarker(const Config& config, const Identity& identity,
                    ledger::OffReason reason);

void RemoveOffMarker(const Config& config, const Identity& identity);

// Sets the state that readers see.
void SetState(ledger::Header& header, ledger::State state);

}  // namespace heapledger::preload
