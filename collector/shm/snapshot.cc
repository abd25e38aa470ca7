// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/snapshot.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "heapledger/ledger/reasons.h"

namespace heapledger::collector {
namespace {

using ledger::Degraded;
using ledger::OffReason;

struct DegradedWords {
  const char* word;
  const char* text;
};

constexpr DegradedWords kScanWords[] = {
    {"none", "no reason"},
    {"not_exact",
     "the process was sampled or dormant, so not every block is known"},
    {"untracked_block",
     "a block lies outside the object map and may hold pointers"},
    {"thread_missed", "a thread did not stop in time"},
    {"too_many_threads", "there are more threads than the scan has room for"},
    {"no_proc", "/proc does not show the process' mappings or threads"},
    {"no_memory", "memory or address space was refused"},
    {"timeout", "it took too long"},
    {"too_many_mappings", "there are more mappings than the scan has room for"},
    {"roots_unreadable", "a mapping could not be read"},
    {"sealed", "the program gave up system calls (seccomp)"},
    {"ledger_full", "the ledger had no room for what was found"},
    {"signal_refused", "the signal that stops threads was refused"},
    {"pause_too_long",
     "the program's threads would have stood still for longer than allowed"},
    {"program_left", "the program ended, or another one took its place"},
    {"no_scanner", "no process could be made for it (a limit on processes?)"},
    {"scanner_lost", "the process that scanned was killed"},
};
static_assert(std::size(kScanWords) ==
              static_cast<std::size_t>(ledger::ScanReason::kScannerLost) + 1);

constexpr DegradedWords kDegradedWords[] = {
    {"stack_truncated", "stacks deeper than --max-depth were cut"},
    {"stack_incomplete", "stacks ended at a frame without unwind rules"},
    {"stack_caller_only",
     "stacks were taken as the caller alone (nested in a signal handler, or at "
     "a thread's end)"},
    {"callsites_full",
     "allocations went to the overflow callsite: callsite ids were used up"},
    {"ledger_full",
     "allocations went to the overflow callsite: the ledger could not grow"},
    {"foreign_free", "frees of blocks that were never booked"},
    {"unseen_free", "blocks vanished unseen and were booked as freed on reuse"},
    {"untracked_block",
     "blocks lay outside the object map and were not booked"},
    {"bypassed", "calls during start-up were not booked"},
    {"shared_shard", "threads shared counters with others"},
    {"modules_full", "frames lay in modules that could not be recorded"},
    {"stack_cut", "hot pairs of frames were booked without their outer frames"},
    {"stack_doubt", "stacks differed from a plain walk (checking build)"},
    {"codes_full",
     "Python frames have no names: the ledger had no room for them"},
    {"tags_full",
     "tags were counted as _other: tag ids, or room for tags, were used up"},
    {"tag_cut", "the text of a tag was too long, or had too many labels"},
};
static_assert(std::size(kDegradedWords) ==
              static_cast<std::size_t>(Degraded::kCount));

struct OffWords {
  const char* word;
  const char* text;
  const char* remedy;
};

constexpr OffWords kOffWords[] = {
    {"none", "no reason was given", "run `heapledger doctor -- CMD`"},
    {"disabled_by_environment", "an environment variable switched the shim off",
     "unset HEAPLEDGER_DISABLE"},
    {"secure_execution",
     "it runs set-uid, set-gid or with file capabilities, where the shim stays "
     "inert",
     "run an unprivileged copy of the program"},
    {"own_allocator", "the program brings its own malloc",
     "link it without that allocator, or preload the allocator after the shim"},
    {"no_real_allocator", "no malloc was found behind the shim",
     "use a dynamically linked C library"},
    {"no_ledger_directory", "no ledger directory could be made or trusted",
     "set HEAPLEDGER_DIR to a directory that you own, mode 0700"},
    {"ledger_file_refused", "the ledger file could not be created",
     "check the rights and the free inodes of the ledger directory"},
    {"ledger_space", "there was no room for the first pages of a ledger",
     "free space in /dev/shm, or set HEAPLEDGER_DIR to a disk"},
    {"address_space", "the address space limit is too small",
     "raise `ulimit -v`"},
    {"file_size_limit", "the file size limit is too small",
     "raise `ulimit -f`"},
    {"kernel_too_old",
     "the kernel lacks MADV_POPULATE_WRITE or MADV_WIPEONFORK",
     "use Linux 5.14 or later"},
    {"not_followed", "--follow leaves this child out",
     "run with --follow all, or name the program"},
    {"sanitizer_runtime", "the program carries a sanitizer's runtime",
     "measure a build without -fsanitize"},
    {"internal_doubt", "the shim's own tables did not add up",
     "please report it with the ledger file attached"},
};
static_assert(std::size(kOffWords) ==
              static_cast<std::size_t>(OffReason::kSanitizerRuntime) + 2);

}  // namespace

std::string_view StateWord(ProcessState state) {
  switch (state) {
    case ProcessState::kStarting:
      return "starting";
    case ProcessState::kLive:
      return "live";
    case ProcessState::kExited:
      return "exited";
    case ProcessState::kKilled:
      return "killed";
    case ProcessState::kReplaced:
      return "replaced";
    case ProcessState::kOff:
      return "off";
  }
  return "unknown";
}

std::string_view ModeWord(MeasureMode mode) {
  switch (mode) {
    case MeasureMode::kExact:
      return "exact";
    case MeasureMode::kSampled:
      return "sampled";
    case MeasureMode::kDormant:
      return "dormant";
    case MeasureMode::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view StackWord(StackDetail detail) {
  switch (detail) {
    case StackDetail::kFull:
      return "full";
    case StackDetail::kFramePointer:
      return "frame-pointer";
    case StackDetail::kCaller:
      return "caller";
    case StackDetail::kAdaptive:
      return "adaptive";
    case StackDetail::kUnknown:
      break;
  }
  return "unknown";
}

std::string DegradedWord(std::size_t kind) {
  return kind < std::size(kDegradedWords) ? kDegradedWords[kind].word
                                          : absl::StrCat("unknown_", kind);
}

std::string DegradedText(std::size_t kind) {
  return kind < std::size(kDegradedWords)
             ? kDegradedWords[kind].text
             : absl::StrCat("events of kind ", kind,
                            ", which this build does not know");
}

std::string OffReasonWord(std::uint32_t reason) {
  return reason < std::size(kOffWords) ? kOffWords[reason].word
                                       : absl::StrCat("unknown_", reason);
}

std::string OffReasonText(std::uint32_t reason) {
  return reason < std::size(kOffWords)
             ? kOffWords[reason].text
             : absl::StrCat("reason ", reason,
                            ", which this build does not know");
}

std::string OffReasonRemedy(std::uint32_t reason) {
  return reason < std::size(kOffWords) ? kOffWords[reason].remedy
                                       : "use a heapledger as new as the shim";
}

std::string_view ScanStateWord(ScanState state) {
  switch (state) {
    case ScanState::kNotAsked:
      return "not_asked";
    case ScanState::kPending:
      return "pending";
    case ScanState::kRunning:
      return "running";
    case ScanState::kComplete:
      return "complete";
    case ScanState::kIncomplete:
      return "incomplete";
    case ScanState::kUnknown:
      break;
  }
  return "unknown";
}

std::string ScanReasonWord(std::uint32_t reason) {
  return reason < std::size(kScanWords) ? kScanWords[reason].word
                                        : absl::StrCat("unknown_", reason);
}

std::string ScanReasonText(std::uint32_t reason) {
  return reason < std::size(kScanWords)
             ? kScanWords[reason].text
             : absl::StrCat("reason ", reason,
                            ", which this build does not know");
}

LeakCounts& LeakCounts::operator+=(const LeakCounts& other) {
  direct_bytes += other.direct_bytes;
  direct_objects += other.direct_objects;
  indirect_bytes += other.indirect_bytes;
  indirect_objects += other.indirect_objects;
  return *this;
}

HeapCounters& HeapCounters::operator+=(const HeapCounters& other) {
  inherited_bytes += other.inherited_bytes;
  inherited_objects += other.inherited_objects;
  allocated_bytes += other.allocated_bytes;
  allocated_objects += other.allocated_objects;
  freed_bytes += other.freed_bytes;
  freed_objects += other.freed_objects;
  return *this;
}

HeapCounters& HeapCounters::operator-=(const HeapCounters& other) {
  inherited_bytes -= other.inherited_bytes;
  inherited_objects -= other.inherited_objects;
  allocated_bytes -= other.allocated_bytes;
  allocated_objects -= other.allocated_objects;
  freed_bytes -= other.freed_bytes;
  freed_objects -= other.freed_objects;
  return *this;
}

std::string TagInfo::Text() const {
  if (labels.size() == 1 && labels[0].key == name) {
    return absl::StrCat(name, "=", labels[0].value);
  }
  if (labels.empty()) return name;
  std::string text = name;
  for (const TagLabel& label : labels) {
    absl::StrAppend(&text, &label == labels.data() ? "{" : ",", label.key, "=",
                    label.value);
  }
  return text + "}";
}

std::string BuildIdHex(std::string_view build_id) {
  return absl::BytesToHexString(
      absl::string_view(build_id.data(), build_id.size()));
}

std::string LedgerIdentity::Key() const {
  return absl::StrCat(pid, "-", start_time_ticks, ".", image);
}

std::string LedgerIdentity::Program() const {
  std::string_view name = exe;
  constexpr std::string_view kDeleted = " (deleted)";
  if (name.ends_with(kDeleted)) name.remove_suffix(kDeleted.size());
  name = name.substr(name.find_last_of('/') + 1);
  if (!name.empty()) return std::string(name);
  return comm.empty() ? "?" : comm;
}

bool LedgerSnapshot::degraded_at_all() const {
  return std::ranges::any_of(degraded, [](std::uint64_t n) { return n != 0; });
}

}  // namespace heapledger::collector
