// SPDX-License-Identifier: Apache-2.0
// Why a ledger holds less than everything: states, reasons for being off, and
// the counted ways in which detail was given up. Values are part of the ABI:
// append, never renumber.
#pragma once

#include <cstdint>

namespace heapledger::ledger {

// What the target last said of itself. Whether it still runs is for the reader
// to find out: a live state of a dead process means it was killed.
enum class State : std::uint32_t {
  kStarting = 0,
  kLive = 1,
  kExited = 2,    // ended by exit(), _exit() or quick_exit()
  kReplaced = 3,  // another image took over the process by exec
  kOff = 4,       // stopped measuring; off_reason says why
};

enum class Mode : std::uint32_t { kExact = 0, kSampled = 1, kDormant = 2 };

enum class StackMode : std::uint32_t {
  kFull = 0,
  kFramePointer = 1,
  kCaller = 2,
  kAdaptive = 3,
};

// Why a process is not measured. Also the text of the marker left in the ledger
// directory where no ledger could be made.
enum class OffReason : std::uint32_t {
  kNone = 0,
  kDisabledByEnvironment = 1,
  kSecureExecution = 2,    // AT_SECURE: set-uid, set-gid or file capabilities
  kOwnAllocator = 3,       // the program brings its own malloc
  kNoRealAllocator = 4,    // no next definition of malloc was found
  kNoLedgerDirectory = 5,  // no directory could be made or trusted
  kLedgerFileRefused = 6,  // open failed
  kLedgerSpace = 7,        // no room for the first pages
  kAddressSpace = 8,       // RLIMIT_AS too small, or mmap refused
  kFileSizeLimit = 9,      // RLIMIT_FSIZE too small
  kKernelTooOld = 10,      // no MADV_POPULATE_WRITE or MADV_WIPEONFORK
  kNotFollowed = 11,       // a child that --follow leaves out
  kSanitizerRuntime = 12,  // the program carries a sanitizer runtime
  kInternalDoubt = 13,     // our own tables did not add up
};

// Ways in which detail was given up; each has a counter of events.
enum class Degraded : std::uint32_t {
  kStackTruncated = 0,   // deeper than max_depth
  kStackIncomplete = 1,  // a frame had no usable unwind rule
  kStackCallerOnly = 2,  // nested in a signal handler, or thread state gone
  kCallsitesFull = 3,    // booked on the overflow callsite: ids used up
  kLedgerFull = 4,       // booked on the overflow callsite: no room to grow
  kForeignFree = 5,      // free of a block that was never booked
  kUnseenFree = 6,       // a booked block vanished past us; booked on reuse
  kUntrackedBlock = 7,   // block outside the object map; not booked at all
  kBypassed = 8,         // call during start-up, not booked
  kSharedShard = 9,      // threads that found no shard of their own
  kModulesFull = 10,     // frame whose module could not be recorded
  kStackCut = 11,        // adaptive depth: a pair of frames booked without
                         // what is further out, for a time
  kStackDoubt = 12,      // checking build: a stack differed from a plain walk
  kCodesFull = 13,       // Python frames without names: no room to grow
  kTagsFull = 14,        // counted as "_other": tag ids were used up
  kTagCut = 15,          // a tag's text was longer than there is room
  kCount = 16,
};

// How far a scan came. A process that ended with kPending or kRunning of its
// scan at exit was not judged: it was killed, aborted, replaced, or left by a
// raw system call.
enum class ScanState : std::uint32_t {
  kNotAsked = 0,
  kPending = 1,     // asked for; the program has not begun to end
  kRunning = 2,     // the program ends; what was found is not booked yet
  kComplete = 3,    // the leaks in the ledger are all that there are
  kIncomplete = 4,  // given up, see ScanReason; no leak was booked
};

// Why a scan says nothing.
enum class ScanReason : std::uint32_t {
  kNone = 0,
  kNotExact = 1,        // sampled, or dormant for a time: blocks are unknown
  kUntrackedBlock = 2,  // a block outside the object map may hold pointers
  kThreadMissed = 3,    // a thread did not stop in time
  kTooManyThreads = 4,
  kNoProc = 5,           // /proc does not show mappings or threads
  kNoMemory = 6,         // address space or memory was refused
  kTimeout = 7,          // it took too long
  kTooManyMappings = 8,  // more than the tables hold
  kRootsUnreadable = 9,  // the kernel refused to copy a mapping that it lists
  kSealed = 10,          // the program gave up system calls (seccomp)
  kLedgerFull = 11,      // no room to book what was found
  kSignalRefused = 12,   // no handler for the signal that stops threads
  // Of a running program only:
  kPauseTooLong = 13,  // its threads would have stood still for too long
  kProgramLeft = 14,   // it ended, or another program took its place
  kNoScanner = 15,     // no process could be made to scan in
  kScannerLost = 16,   // that process was killed
};

// What became of the Python frames of a program that hosts CPython.
enum class PythonState : std::uint32_t {
  kNone = 0,            // no CPython was seen
  kNotAsked = 1,        // seen, and left alone
  kWaiting = 2,         // no Python code ran yet
  kFrames = 3,          // stacks hold Python frames from here on
  kUnknownVersion = 4,  // a version whose layout is not known
  kFreeThreaded = 5,    // no lock under which frames stand still
  kLayoutDoubt = 6,     // its objects are not where this version has them
  kStackMode = 7,       // stacks are not taken in full
  kNoMemory = 8,        // address space was refused
};

// Bits of the low half of the control word. A reader sets them and leaves the
// high half alone, which is the target's own; the target takes them at its next
// allocation, acts, and adds 1 to `control_ack`. Bits that it does not know are
// taken and do nothing. Those of kPressureMask are left to stand until the
// program itself asks for them.
enum class Control : std::uint64_t {
  kArm = 1,     // dormant: measure from now on
  kDisarm = 2,  // follow no new block; blocks already booked are followed on
  kTrim = 4,    // return free memory to the kernel; see kTrimByShift
  kFullStacks = 8,     // adaptive: no stack is cut for a while
  kScan = 16,          // look for unreachable blocks; see kScanPauseShift
  kReapScan = 32,      // the process that scanned is done; set by itself
  kRuntime = 1 << 14,  // a runtime was loaded; set by the target itself
};

// With kScan: for how many milliseconds the program's threads may stand still.
inline constexpr std::uint32_t kScanPauseShift = 16;
inline constexpr std::uint64_t kScanPauseMask = 0xffffULL << kScanPauseShift;

// With kTrim: who asks (TrimAsker).
inline constexpr std::uint32_t kTrimByShift = 6;
inline constexpr std::uint64_t kTrimByMask = 0x3ULL << kTrimByShift;

// The pressure that the program is told (PressureLevel, requests.h).
inline constexpr std::uint32_t kPressureShift = 8;
inline constexpr std::uint64_t kPressureMask = 0x7ULL << kPressureShift;
// What allocations look at and take.
inline constexpr std::uint64_t kServedMask = 0xffffffffULL & ~kPressureMask;

}  // namespace heapledger::ledger
