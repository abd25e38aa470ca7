// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/control_word.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "collector/shm/fault_guard.h"
#include "collector/shm/header_decoder.h"
#include "collector/shm/request_decoder.h"
#include "heapledger/ledger/layout.h"
#include "heapledger/ledger/reasons.h"

namespace heapledger::collector {
namespace {

using ledger::Control;
using ledger::Header;

std::uint64_t Bit(Control control) {
  return static_cast<std::uint64_t>(control);
}

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

// Why the opened file is not to be written to; empty if it may be.
std::string Distrust(const struct stat& file, uid_t owner) {
  if (!S_ISREG(file.st_mode)) return "it is no regular file";
  if (file.st_uid != owner) {
    return absl::StrCat("it belongs to user ", file.st_uid,
                        ", its directory to user ", owner);
  }
  if (owner != geteuid() && geteuid() != 0) {
    return absl::StrCat("it belongs to user ", owner,
                        "; ask as that user or as root");
  }
  if ((file.st_mode & 07777) != 0600) return "its mode is not 0600";
  // A second name may lie in a directory that somebody else may write to.
  if (file.st_nlink != 1) return "it has more names than one, or none";
  return "";
}

// The bits for a level; none that the shim knows is as large as the field.
std::uint64_t PressureBits(PressureLevel level) {
  return (static_cast<std::uint64_t>(level) << ledger::kPressureShift) &
         ledger::kPressureMask;
}

std::uint64_t TrimBits(TrimAsker asker) {
  const auto by = asker == TrimAsker::kCollector ? ledger::TrimAsker::kCollector
                                                 : ledger::TrimAsker::kUser;
  return Bit(Control::kTrim) | static_cast<std::uint64_t>(by)
                                   << ledger::kTrimByShift;
}

bool SameProcess(const LedgerIdentity& a, const LedgerIdentity& b) {
  const auto key = [](const LedgerIdentity& who) {
    return std::tuple(who.pid, who.pid_namespace, who.start_time_ticks,
                      who.image, who.created_monotonic_ns);
  };
  return key(a) == key(b);
}

}  // namespace

ControlWord::ControlWord(std::unique_ptr<MappedLedger> file,
                         std::uint64_t* page, LedgerIdentity who)
    : file_(std::move(file)), page_(page), who_(std::move(who)) {}

ControlWord::~ControlWord() { munmap(page_, ledger::kPageBytes); }

absl::StatusOr<std::unique_ptr<ControlWord>> ControlWord::Open(
    const FoundLedger& found, const LedgerIdentity& who) {
  const std::string doing = absl::StrCat("write to ledger ", found.path, ": ");
  // NONBLOCK: a fifo in the ledger's place must not hold us up.
  const int descriptor =
      open(found.path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        doing, errno == ELOOP ? "it is a symbolic link" : ErrnoText(errno)));
  }
  absl::Cleanup close_it = [descriptor] { close(descriptor); };
  struct stat status;
  if (fstat(descriptor, &status) != 0) {
    return absl::InternalError(absl::StrCat(doing, ErrnoText(errno)));
  }
  if (const std::string why = Distrust(status, found.owner); !why.empty()) {
    return absl::PermissionDeniedError(absl::StrCat(doing, why));
  }
  void* page = MAP_FAILED;
  if (status.st_size >= ledger::kPageBytes) {
    page = mmap(nullptr, ledger::kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                descriptor, 0);
  }
  if (page == MAP_FAILED) {
    return absl::InvalidArgumentError(
        absl::StrCat(doing, "its header cannot be mapped"));
  }
  absl::Cleanup unmap_it = [page] { munmap(page, ledger::kPageBytes); };
  std::move(close_it).Cancel();
  auto file = MappedLedger::Map(descriptor, found.path);
  if (!file.ok()) return file.status();
  std::move(unmap_it).Cancel();
  std::unique_ptr<ControlWord> word(new ControlWord(
      *std::move(file), static_cast<std::uint64_t*>(page), who));
  if (auto state = word->Look(); !state.ok()) return state.status();
  return word;
}

absl::StatusOr<ControlState> ControlWord::Look() const {
  Words header;
  if (absl::Status ok = file_->CopyHeader(&header); !ok.ok()) return ok;
  LedgerSnapshot snapshot;
  DecodeHeader(header, snapshot);
  if (!SameProcess(snapshot.identity, who_)) {
    return absl::FailedPreconditionError(
        absl::StrCat("write to ledger ", file_->path(),
                     ": it is not the ledger of pid ", who_.pid, " any more"));
  }
  const auto asked =
      LoadField<std::uint64_t>(header, offsetof(Header, control));
  ControlState state;
  state.mode = snapshot.mode;
  state.state = snapshot.state;
  state.off_reason = snapshot.off_reason;
  state.pending.arm = (asked & Bit(Control::kArm)) != 0;
  state.pending.disarm = (asked & Bit(Control::kDisarm)) != 0;
  state.pending.full_stacks = (asked & Bit(Control::kFullStacks)) != 0;
  state.pending.scan = (asked & Bit(Control::kScan)) != 0;
  state.pending.trim = (asked & Bit(Control::kTrim)) != 0;
  state.pending.pressure = PressureLevelOf((asked & ledger::kPressureMask) >>
                                           ledger::kPressureShift);
  state.acknowledged =
      LoadField<std::uint64_t>(header, offsetof(Header, control_ack));
  return state;
}

absl::Status ControlWord::Ask(const ControlRequest& request) {
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  if (request.arm) {
    set |= Bit(Control::kArm);
    clear |= Bit(Control::kDisarm);
  }
  if (request.disarm) {
    set |= Bit(Control::kDisarm);
    clear |= Bit(Control::kArm);
  }
  if (request.full_stacks) set |= Bit(Control::kFullStacks);
  if (request.scan) {
    set |= Bit(Control::kScan) | std::uint64_t{request.pause_limit_ms}
                                     << ledger::kScanPauseShift;
    clear |= ledger::kScanPauseMask;
  }
  if (request.trim) {
    set |= TrimBits(request.trim_by);
    clear |= ledger::kTrimByMask;
  }
  if (request.pressure != PressureLevel::kNotAsked) {
    set |= PressureBits(request.pressure);
    clear |= ledger::kPressureMask;
  }
  std::uint64_t* const word = page_ + offsetof(Header, control) / kWordBytes;
  if (ChangeBitsGuarded(word, clear, set)) {
    // Threads of the program may wait on the low half, which comes first. No
    // touch of the page: a futex that is gone is an error, not a fault.
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("write to ledger ", file_->path(),
                                          ": it was cut short meanwhile"));
}

}  // namespace heapledger::collector
