// SPDX-License-Identifier: Apache-2.0
#include "preload/park.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "heapledger/ledger/name.h"
#include "preload/raw_io.h"
#include "preload/shared_memory_owner.h"

// What the handler returns to; the kernel asks for it.
asm(".pushsection .text\n"
    ".globl heapledger_sigreturn\n"
    ".hidden heapledger_sigreturn\n"
    ".type heapledger_sigreturn, @function\n"
    "heapledger_sigreturn:\n"
    "  mov $15, %eax\n"  // rt_sigreturn
    "  syscall\n"
    ".size heapledger_sigreturn, . - heapledger_sigreturn\n"
    ".popsection\n");
namespace heapledger::preload {
namespace {

using ledger::ScanReason;
using State = ParkedThread::State;

constexpr int kParkSignal = 32;
constexpr std::uint64_t kMillisecond = 1'000'000;
// How long a parked thread may take to leave the handler.
constexpr std::uint64_t kLeaveNs = 1000 * kMillisecond;

// The lot that is in use, for the handler. Never taken back: a signal may still
// be on its way.
constinit std::atomic<ParkingLot*> g_lot{nullptr};

long Address(const void* at) { return reinterpret_cast<long>(at); }

// 0, or a negative errno; without a timeout, for as long as it takes.
long FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
               std::uint64_t timeout_ns) {
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  return raw::Call(SYS_futex, Address(&word), FUTEX_WAIT_PRIVATE, value,
                   timeout_ns == 0 ? 0 : Address(&timeout));
}

void FutexWakeAll(const std::atomic<std::uint32_t>& word) {
  raw::Call(SYS_futex, Address(&word), FUTEX_WAKE_PRIVATE, 0x7fffffff);
}

// On the stack of the thread that is stopped, with every signal blocked.
void OnParkSignal(int signal, siginfo_t* info, void* context) {
  ParkingLot* const lot = g_lot.load(std::memory_order_acquire);
  if (lot == nullptr) return;
  auto* const thread = static_cast<ParkedThread*>(info->si_value.sival_ptr);
  if (info->si_code != SI_QUEUE || !lot->Holds(thread)) {
    return lot->PassOn(signal, info, context);
  }
  lot->Arrive(thread, context);
}

// The thread pointer of the calling thread, where an instruction tells it: a
// thread without one would fault in asking its own control block.
std::uint64_t ReadThreadPointer() {
  std::uint64_t pointer;
  asm("rdfsbase %0" : "=r"(pointer));
  return pointer;
}

struct LinuxDirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t record_bytes;
  std::uint8_t type;
  char name[1];
};

}  // namespace

ScanReason ParkingLot::Park(std::uint64_t timeout_ns) {
  own_tid_ = static_cast<std::int32_t>(raw::Call(SYS_gettid));
  SetTasks(static_cast<std::int32_t>(raw::Call(SYS_getpid)), true);
  return ParkUntil(raw::PreciseNs() + timeout_ns);
}

void ParkingLot::Release() {
  const bool all_came = LetGo();
  AwaitLeaving();
  // A signal still on its way must find a handler: its default is to kill.
  if (!empty() && all_came) RestoreAction();
}

bool ParkingLot::AdmitGuests(std::int32_t pid) {
  constexpr unsigned long kReadsSegmentBase = 1 << 1;  // HWCAP2_FSGSBASE
  guests_ = true;
  reads_thread_pointers_ = (getauxval(AT_HWCAP2) & kReadsSegmentBase) != 0;
  SetTasks(pid, false);
  return Install();
}

ScanReason ParkingLot::ParkGuests(std::uint64_t timeout_ns,
                                  std::uint64_t leave_after_ns) {
  leave_after_ns_ = leave_after_ns;
  return ParkUntil(raw::PreciseNs() + timeout_ns);
}

bool ParkingLot::ReleaseGuests() {
  const bool stayed = went_away_.load(std::memory_order_acquire) == 0;
  if (LetGo()) AwaitLeaving();
  return stayed;
}

void ParkingLot::DismissGuests() {
  if (!LetGo()) return;
  AwaitLeaving();
  if (!empty()) RestoreAction();
}

void ParkingLot::SetTasks(std::int32_t pid, bool own) {
  pid_ = pid;
  ledger::NameBuilder name(tasks_, sizeof tasks_);
  // The process' own name shows nothing once its main thread has ended.
  if (own) {
    name.Text("/proc/thread-self/..");
  } else {
    name.Text("/proc/").Number(static_cast<std::uint64_t>(pid)).Text("/task");
  }
}

ScanReason ParkingLot::ParkUntil(std::uint64_t deadline_ns) {
  for (;;) {
    const long fresh = AskNewThreads();
    if (fresh < 0) return refusal_;
    const std::uint32_t awaited = Awaited();
    // A thread that was not stopped may have made another one meanwhile.
    if (fresh == 0 && awaited == 0) return ScanReason::kNone;
    if (awaited == 0) continue;
    if (raw::PreciseNs() > deadline_ns) return ScanReason::kThreadMissed;
    WaitForArrivals();
  }
}

bool ParkingLot::LetGo() {
  // One more than there are, so that none is the last before all are counted.
  late_.fetch_add(1, std::memory_order_acq_rel);
  for (std::uint32_t i = 0; i < count_; ++i) {
    late_.fetch_add(1, std::memory_order_acq_rel);
    State asked = State::kAsked;
    if (!threads_[i].state.compare_exchange_strong(asked, State::kExcused,
                                                   std::memory_order_acq_rel)) {
      late_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }
  released_.store(1, std::memory_order_release);
  FutexWakeAll(released_);
  return late_.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

void ParkingLot::AwaitLeaving() const {
  const std::uint64_t deadline = raw::PreciseNs() + kLeaveNs;
  for (;;) {
    const std::uint32_t left = left_.load(std::memory_order_acquire);
    if (left == arrived_.load(std::memory_order_acquire)) return;
    if (raw::PreciseNs() > deadline) return;
    FutexWait(left_, left, kMillisecond);
  }
}

void ParkingLot::RestoreAction() {
  raw::Call(SYS_rt_sigaction, kParkSignal, Address(&before_), 0,
            sizeof before_.mask);
  installed_.store(false, std::memory_order_release);
}

// Whether a task has ended but is still listed.
bool ParkingLot::HasEnded(std::int32_t tid) const {
  char path[96];
  ledger::NameBuilder(path, sizeof path)
      .Text(tasks_)
      .Text("/")
      .Number(static_cast<std::uint64_t>(tid))
      .Text("/stat");
  char text[256];
  const long got = raw::ReadFile(path, text, sizeof text);
  if (got <= 0) return got == -ENOENT || got == -ESRCH || got == 0;
  long close = got - 1;
  while (close > 0 && text[close] != ')') --close;
  const char state = close + 2 < got ? text[close + 2] : '?';
  return state == 'Z' || state == 'X' || state == 'x';
}

void ParkingLot::Arrive(ParkedThread* thread, const void* context) {
  State asked = State::kAsked;
  if (!thread->state.compare_exchange_strong(asked, State::kArriving,
                                             std::memory_order_acq_rel)) {
    // Excused: the last of these gives guests' signal back.
    if (late_.fetch_sub(1, std::memory_order_acq_rel) == 1 && guests_) {
      RestoreAction();
    }
    return;
  }
  if (reads_thread_pointers_) thread->thread_pointer = ReadThreadPointer();
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  for (std::size_t i = 0; i < ParkedThread::kRegisters; ++i) {
    thread->registers[i] = static_cast<std::uint64_t>(machine.gregs[i]);
  }
  thread->rip = static_cast<std::uint64_t>(machine.gregs[REG_RIP]);
  thread->rsp = static_cast<std::uint64_t>(machine.gregs[REG_RSP]);
  if (const auto* const saved =
          reinterpret_cast<const std::uint64_t*>(machine.fpregs)) {
    // xmm0 to xmm15 begin at byte 160 of the area; their upper halves at 576,
    // where byte 512 says that they are in use (Intel SDM 1, 13.4). Byte 464
    // tells that there is such a second part.
    constexpr std::uint32_t kExtendedMagic = 0x46505853;
    constexpr std::uint64_t kUpperHalves = 4;
    std::size_t filled = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      thread->vectors[filled++] = saved[160 / 8 + i];
    }
    const bool extended =
        static_cast<std::uint32_t>(saved[464 / 8]) == kExtendedMagic;
    if (extended && (saved[512 / 8] & kUpperHalves) != 0) {
      for (std::size_t i = 0; i < 32; ++i) {
        thread->vectors[filled++] = saved[576 / 8 + i];
      }
    }
  }
  thread->state.store(State::kParked, std::memory_order_release);
  arrived_.fetch_add(1, std::memory_order_acq_rel);
  FutexWakeAll(arrived_);
  while (released_.load(std::memory_order_acquire) == 0) {
    if (FutexWait(released_, 0, leave_after_ns_) == -ETIMEDOUT) {
      went_away_.fetch_add(1, std::memory_order_acq_rel);
      break;
    }
  }
  left_.fetch_add(1, std::memory_order_acq_rel);
  FutexWakeAll(left_);
}

void ParkingLot::PassOn(int signal, void* info, void* context) const {
  if (before_.handler <= 1) return;  // default or ignored
  reinterpret_cast<void (*)(int, void*, void*)>(before_.handler)(signal, info,
                                                                 context);
}

bool ParkingLot::Install() {
  if (!empty()) return true;
  g_lot.store(this, std::memory_order_release);
  const KernelAction ours =
      KernelAction::Of(reinterpret_cast<void*>(&OnParkSignal),
                       SA_SIGINFO | SA_ONSTACK | SA_RESTART);
  const bool installed =
      raw::Call(SYS_rt_sigaction, kParkSignal, Address(&ours),
                Address(&before_), sizeof ours.mask) == 0;
  installed_.store(installed, std::memory_order_release);
  if (!installed) refusal_ = ScanReason::kSignalRefused;
  return installed;
}

template <typename Visit>
bool ParkingLot::ForEachTask(Visit&& visit) {
  const int directory = raw::Open(tasks_, O_RDONLY | O_DIRECTORY);
  if (directory < 0) return false;
  bool seen_any = false;
  for (bool more = true; more;) {
    const long got = raw::Call(SYS_getdents64, directory, Address(entries_),
                               sizeof entries_);
    if (got <= 0) break;
    for (long at = 0; at < got && more;) {
      const auto* const entry =
          reinterpret_cast<const LinuxDirectoryEntry*>(entries_ + at);
      at += entry->record_bytes;
      std::int32_t tid = 0;
      for (const char* c = entry->name; *c >= '0' && *c <= '9'; ++c) {
        tid = tid * 10 + (*c - '0');
      }
      if (tid == 0) continue;
      seen_any = true;
      more = visit(tid);
    }
  }
  raw::Close(directory);
  return seen_any;
}

long ParkingLot::AskNewThreads() {
  refusal_ = ScanReason::kNoProc;
  long fresh = 0;
  const bool listed = ForEachTask([&](std::int32_t tid) {
    if (tid == own_tid_ || *SlotOf(tid) != 0) return true;
    fresh = Ask(tid) ? fresh + 1 : -1;
    return fresh >= 0;
  });
  return listed ? fresh : -1;
}

bool ParkingLot::Ask(std::int32_t tid) {
  // A process of one thread needs no handler.
  if (!guests_ && !Install()) return false;
  if (count_ == kMaxThreads) {
    refusal_ = ScanReason::kTooManyThreads;
    return false;
  }
  ParkedThread& thread = threads_[count_++];
  *SlotOf(tid) = count_;
  thread.tid = tid;
  thread.state.store(State::kAsked, std::memory_order_release);
  siginfo_t info = {};
  info.si_signo = kParkSignal;
  info.si_code = SI_QUEUE;
  info.si_pid = pid_;
  info.si_value.sival_ptr = &thread;
  // A program that the process runs instead has no handler: it would be killed.
  const long sent = guests_ && !StillSharesMemoryWith(pid_)
                        ? -ESRCH
                        : raw::Call(SYS_rt_tgsigqueueinfo, pid_, tid,
                                    kParkSignal, Address(&info));
  if (sent == 0) return true;
  thread.state.store(State::kGone, std::memory_order_release);
  if (sent == -ESRCH) return true;
  refusal_ = ScanReason::kSignalRefused;
  return false;
}

std::uint32_t ParkingLot::Awaited() {
  std::uint32_t awaited = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    State state = threads_[i].state.load(std::memory_order_acquire);
    if (state == State::kArriving) ++awaited;
    if (state != State::kAsked) continue;
    if (HasEnded(threads_[i].tid)) {
      threads_[i].state.compare_exchange_strong(state, State::kGone,
                                                std::memory_order_acq_rel);
    } else {
      ++awaited;
    }
  }
  return awaited;
}

void ParkingLot::WaitForArrivals() const {
  FutexWait(arrived_, arrived_.load(std::memory_order_acquire), kMillisecond);
}

std::uint32_t* ParkingLot::SlotOf(std::int32_t tid) {
  // Ids are dense: the low bits tell most of them apart.
  std::uint32_t at = static_cast<std::uint32_t>(tid) % kHashSlots;
  while (by_tid_[at] != 0 && threads_[by_tid_[at] - 1].tid != tid) {
    at = (at + 1) % kHashSlots;
  }
  return &by_tid_[at];
}

}  // namespace heapledger::preload
