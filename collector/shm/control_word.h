// SPDX-License-Identifier: Apache-2.0
// The one word of a ledger that is written from outside: what a running process
// is asked to do. Nothing else in the collector maps a ledger for writing.
//
// Thread safety: one thread at a time per object. The word itself is shared
// with the target and with others who ask.
//
// Invariants:
//  (1) Header::control is all that is written, by compare-and-exchange.
//  (2) It is written only in a regular file, no link, of mode 0600 and one
//      name, of the user who owns its directory and who is us unless we are
//      root, whose header names the process that the caller looked at.
//
// On failure: a file that is cut short meanwhile is a status, as for readers.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/shm/discovery.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

struct ControlRequest {
  bool arm = false;
  bool disarm = false;
  bool full_stacks = false;
  bool scan = false;
  // With `scan`: for how long the program's threads may stand still; 0: as the
  // shim has it.
  std::uint16_t pause_limit_ms = 0;
  // Return free memory to the kernel. What came of it: LedgerSnapshot::trim.
  bool trim = false;
  TrimAsker trim_by = TrimAsker::kUser;
  // Tell the program this level of pressure, in the place of one that it has
  // not asked for yet; kNotAsked: none. Threads that wait for it are woken.
  // What came of it: LedgerSnapshot::pressure.
  PressureLevel pressure = PressureLevel::kNotAsked;
};

// What the header says of the process now.
struct ControlState {
  MeasureMode mode = MeasureMode::kUnknown;
  ProcessState state = ProcessState::kStarting;  // the ledger's own word
  std::uint32_t off_reason = 0;
  ControlRequest pending;  // asked by anybody and not taken yet
  std::uint64_t acknowledged = 0;
};

class ControlWord {
 public:
  // `who` is what a reader found in the ledger `found`.
  static absl::StatusOr<std::unique_ptr<ControlWord>> Open(
      const FoundLedger& found, const LedgerIdentity& who);
  ~ControlWord();
  ControlWord(const ControlWord&) = delete;
  ControlWord& operator=(const ControlWord&) = delete;

  // Fails when the ledger has become another process' since it was opened.
  absl::StatusOr<ControlState> Look() const;

  // Adds to what is asked already, but for the opposite of `request`: what was
  // not taken yet is withdrawn.
  absl::Status Ask(const ControlRequest& request);

 private:
  ControlWord(std::unique_ptr<MappedLedger> file, std::uint64_t* page,
              LedgerIdentity who);

  std::unique_ptr<MappedLedger> file_;
  std::uint64_t* page_;  // the header, writable
  LedgerIdentity who_;
};

}  // namespace heapledger::collector
