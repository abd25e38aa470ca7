// SPDX-License-Identifier: Apache-2.0
#include "preload/lifecycle.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "preload/exit_scan.h"
#include "preload/heap_allocator.h"
#include "preload/live_scan.h"
#include "preload/pressure.h"
#include "preload/python_host.h"
#include "preload/raw_io.h"
#include "preload/real_malloc.h"
#include "preload/real_new.h"
#include "preload/real_process.h"
#include "preload/runtime/helper.h"
#include "preload/seal.h"
#include "preload/tags.h"
#include "preload/trim.h"

namespace heapledger::preload {

constinit GatePage g_gate;
constinit Process* g_process = nullptr;
constinit Books<TargetEnv>* g_books = nullptr;
constinit SampleFilter g_samples;
constinit const ledger::AtomicU64 g_no_control{0};
constinit const ledger::AtomicU64* g_control = &g_no_control;
constinit thread_local ThreadState* t_state = nullptr;

namespace {

using ledger::OffReason;

// How long Control::kFullStacks lasts.
constexpr std::uint32_t kFullStacksSeconds = 60;

pthread_key_t g_thread_key;
// Rounds of destructors that glibc makes at the end of a thread.
constexpr std::uint32_t kDestructorRounds = 4;
// How far below its top the main thread's stack may reach and still be told
// from other mappings: the kernel keeps at least 128 MiB free there.
constexpr std::uint64_t kMainStackReach = 64ULL << 20;

void SetGate(Gate gate) { g_gate.gate.store(gate, std::memory_order_release); }

// Opens the gate for a process with a ledger, and says in it what is measured.
void OpenGate(Process& process, Gate gate) {
  ledger::Mode mode = ledger::Mode::kExact;
  if (gate <= Gate::kDraining) mode = ledger::Mode::kDormant;
  if (gate == Gate::kSampling) mode = ledger::Mode::kSampled;
  g_books->file().header().mode.store(static_cast<std::uint32_t>(mode),
                                      std::memory_order_relaxed);
  process.gate.store(gate, std::memory_order_relaxed);
  SetGate(gate);
}

// Runs at the end of a thread, once a round. Destructors of the program may
// allocate in this round and in later ones, so the state is kept to the last.
void ThreadExits(void* value) {
  auto* const state = static_cast<ThreadState*>(value);
  if (CurrentGate() <= Gate::kOff || state != t_state) return;
  if (++state->exit_rounds < kDestructorRounds) {
    pthread_setspecific(g_thread_key, state);
    return;
  }
  LeaveAllScopes(state);
  t_state = kThreadGone;
  g_books->Detach(g_process->threads, state);
}

bool InitializeOnce(Process& process) {
  process.main_stack_high = getauxval(AT_EXECFN);
  if (pthread_key_create(&g_thread_key, ThreadExits) != 0) return false;
  if (!process.env.Open() || !process.objects.Open(process.env)) return false;
  const Config& config = process.config;
  if (config.SampleMean() != 0) {
    process.armed_gate = Gate::kSampling;
    if (!g_samples.Open(process.env)) return false;
    // A free must notice blocks from before the start as well.
    if (!g_bootstrap.ForEachRange(std::uint64_t{1} << SampleFilter::kRangeShift,
                                  [&process](std::uint64_t at) {
                                    return g_samples.Add(process.env, at);
                                  })) {
      return false;
    }
  } else if (config.stack_mode == ledger::StackMode::kAdaptive) {
    process.armed_gate = Gate::kAdaptive;
    process.has_clock = raw::HasClock();
  } else {
    process.armed_gate = Gate::kActive;
  }
  return true;
}

// The gate at the start of an image. A dormant one may pass every block on
// unseen, but for those from before the start.
Gate FirstGate(const Process& process) {
  if (process.config.mode != ledger::Mode::kDormant) return process.armed_gate;
  return g_bootstrap.ever_used() ? Gate::kDraining : Gate::kDormant;
}

// Opens fresh books over a ledger that was just made.
OffReason OpenBooksOver(Process& process, std::uint32_t first_callsite) {
  process.env.set_ledger_base(process.segment.base);
  void* const memory = raw::MapPrivate(sizeof(Books<TargetEnv>));
  if (memory == nullptr) return OffReason::kAddressSpace;
  g_books = static_cast<Books<TargetEnv>*>(memory);
  g_books->set_objects(process.objects);
  if (!g_books->Open(&process.env, process.segment.base,
                     process.segment.cap_bytes, first_callsite)) {
    return OffReason::kLedgerSpace;
  }
  auto& header = g_books->file().header();
  header.inherited_end =
      first_callsite == ledger::kFirstCallsite ? 0 : first_callsite;
  header.object_map_directory = process.objects.directory_address();
  header.object_map_leaf_shift = ObjectMap::kLeafShift;
  header.object_map_granule_shift = ObjectMap::kGranuleShift;
  header.allocator = static_cast<std::uint64_t>(FindAllocator());
  g_books->set_sample_mean(header.sample_bytes);
  g_control = &header.control;
  return OffReason::kNone;
}

// Makes a ledger and opens fresh books over it; both, or none is left.
OffReason OpenBooks(Process& process, std::uint32_t first_callsite) {
  process.segment = CreateSegment(process.config, process.identity);
  if (process.segment.off != OffReason::kNone) return process.segment.off;
  const OffReason reason = OpenBooksOver(process, first_callsite);
  if (reason != OffReason::kNone) DropSegment(&process.segment);
  return reason;
}

OffReason ReasonNotToMeasure(const Config& config, const Identity& identity) {
  switch (FindInterposition()) {
    case Interposition::kSanitizer:
      return OffReason::kSanitizerRuntime;
    case Interposition::kOwnAllocator:
      return OffReason::kOwnAllocator;
    case Interposition::kOurs:
      break;
  }
  if (config.disabled) return OffReason::kDisabledByEnvironment;
  if (!config.Follows(identity.pid, identity.comm)) {
    return OffReason::kNotFollowed;
  }
  return OffReason::kNone;
}

void GoOff(const Config& config, const Identity& identity, OffReason reason) {
  LeaveOffMarker(config, identity, reason);
  if (g_process != nullptr) {
    g_process->off = true;
  } else {
    // A forked child stays off too: it could not tell what it inherited.
    raw::KeepOnFork(&g_gate, sizeof g_gate);
  }
  SetGate(Gate::kOff);
}

void StartImage(Cause cause) {
  raw::FindClock();
  if (!g_real.Resolve()) {
    SetGate(Gate::kOff);
    return;
  }
  g_real_new.Resolve();
  g_real_process.Resolve();
  // Privileged programs, and those on another libc: inert, no trace.
  if (getauxval(AT_SECURE) != 0 || !LibcIsKnown()) {
    SetGate(Gate::kOff);
    return;
  }
  Config config;
  Identity identity;
  config.ReadEnvironment();
  identity.Read();
  OffReason reason = ReasonNotToMeasure(config, identity);
  if (reason == OffReason::kOwnAllocator && cause == Cause::kLoaded) {
    // Whatever comes before us may pass its calls on: then one wakes us.
    LeaveOffMarker(config, identity, reason);
    SetGate(Gate::kCold);
    return;
  }
  if (reason == OffReason::kOwnAllocator) {
    RemoveOffMarker(config, identity);
    reason = OffReason::kNone;
  }
  if (reason == OffReason::kNone && !raw::WipeOnFork(&g_gate, sizeof g_gate)) {
    reason = OffReason::kKernelTooOld;
  }
  if (reason != OffReason::kNone) return GoOff(config, identity, reason);
  auto* const process = static_cast<Process*>(raw::MapPrivate(sizeof(Process)));
  if (process == nullptr) {
    return GoOff(config, identity, OffReason::kAddressSpace);
  }
  process->config = config;
  process->identity = identity;
  if (!InitializeOnce(*process)) {
    return GoOff(config, identity, OffReason::kAddressSpace);
  }
  reason = OpenBooks(*process, ledger::kFirstCallsite);
  if (reason != OffReason::kNone) return GoOff(config, identity, reason);
  CountFilters();
  g_process = process;
  process->armed_late = process->config.mode == ledger::Mode::kDormant;
  PublishSegment(process->segment);
  OpenGate(*process, FirstGate(*process));
  PrepareExitScan();
  // From here OnLoad() goes on, or nobody does.
  if (cause == Cause::kAllocation) AskForPythonHelper();
}

// Makes a state the calling thread's.
void Adopt(ThreadState* state) {
  const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  const std::uint64_t main_high = g_process->main_stack_high;
  const bool main_stack =
      here < main_high && main_high - here < kMainStackReach;
  // Unknown at first: any address is below low.
  state->SetStack(
      main_stack ? unwind::StackBounds{main_high - kMainStackReach, main_high}
                 : unwind::StackBounds{~0ULL, 0});
  // What it remembers is of the thread that had it before.
  state->CallAttention();
  t_state = state;
  // May allocate in turn: the state is in place.
  pthread_setspecific(g_thread_key, state);
}

// What the parent did not see, the child does not know either.
void CopyCoverage(const ledger::Header& from, ledger::Header& to) {
  to.armed_realtime_ns.store(
      from.armed_realtime_ns.load(std::memory_order_relaxed),
      std::memory_order_relaxed);
  to.disarmed_realtime_ns.store(
      from.disarmed_realtime_ns.load(std::memory_order_relaxed),
      std::memory_order_relaxed);
}

// First call in a forked child: its own ledger, with the blocks that it finds
// live in its copy of the heap booked as inherited. The parent's ledger is only
// read, and let go.
void StartChild(Process& process) {
  if (process.off) {
    SetGate(Gate::kOff);
    return;
  }
  std::byte* const parent_ledger = process.segment.base;
  const std::uint64_t parent_ledger_bytes = process.segment.cap_bytes;
  Books<TargetEnv>* const parent = g_books;
  const Identity parent_identity = process.identity;
  process.identity.Read();
  process.identity.parent_pid = parent_identity.pid;
  process.identity.parent_start_time_ticks = parent_identity.start_time_ticks;
  ForgetLiveScan();
  ForgetTrim();
  // Of the parent's threads only this one exists here, in the same scopes.
  const TagScopes scopes =
      t_state > kThreadGone ? t_state->scopes : TagScopes{};
  t_state = nullptr;
  process.threads.Reset(process.env);
  constexpr std::uint32_t kPerChunk =
      ledger::kRecordsPerChunk<ledger::CallsiteRecord>;
  const std::uint32_t first_callsite =
      (parent->callsites().end() + kPerChunk - 1) / kPerChunk * kPerChunk;
  OffReason reason = OffReason::kNone;
  if (!process.config.Follows(process.identity.pid, process.identity.comm)) {
    reason = OffReason::kNotFollowed;
  } else {
    reason = OpenBooks(process, first_callsite);
  }
  ThreadState* state = nullptr;
  if (reason == OffReason::kNone) {
    state = g_books->Attach(process.threads);
    if (state == nullptr) {
      reason = OffReason::kAddressSpace;
      DropSegment(&process.segment);
    }
  }
  if (reason == OffReason::kNone) {
    g_books->tags().Inherit(g_books->file(), parent->tags());
    (void)g_books->Inherit(*parent, state->frames);
    // Of the parent's other threads.
    g_python.asking.store(0, std::memory_order_relaxed);
    g_python.suspended.store(0, std::memory_order_relaxed);
    PublishPython();
    TakeScopes(state, scopes);
    CopyCoverage(parent->file().header(), g_books->file().header());
    InheritListeners();
    PublishSegment(process.segment);
    OpenGate(process, process.gate.load(std::memory_order_relaxed));
    PrepareExitScan();
    Adopt(state);
  } else {
    GoOff(process.config, process.identity, reason);
  }
  raw::Unmap(parent_ledger, parent_ledger_bytes);
  raw::Unmap(parent, sizeof *parent);
}

}  // namespace

[[gnu::cold, gnu::noinline]] void Start(Cause cause) {
  Gate cold = Gate::kCold;
  if (!g_gate.gate.compare_exchange_strong(cold, Gate::kStarting,
                                           std::memory_order_acq_rel)) {
    return;
  }
  if (g_process == nullptr) {
    StartImage(cause);
  } else {
    StartChild(*g_process);
  }
}

[[gnu::cold, gnu::noinline]] ThreadState* AttachThread() {
  if (t_state == kThreadGone) return nullptr;
  ThreadState* const state = g_books->Attach(g_process->threads);
  if (state == nullptr) return nullptr;
  Adopt(state);
  return state;
}

std::uint32_t Seconds() {
  return static_cast<std::uint32_t>(raw::MonotonicNs() / 1'000'000'000);
}

[[gnu::noinline, gnu::cold]] void ServeControl() {
  ledger::Header& header = g_books->file().header();
  const std::uint64_t asked =
      header.control.fetch_and(~ledger::kServedMask,
                               std::memory_order_acq_rel) &
      ledger::kServedMask;
  if (asked == 0) return;
  const auto has = [asked](ledger::Control bit) {
    return (asked & static_cast<std::uint64_t>(bit)) != 0;
  };
  Process& process = *g_process;
  const Gate gate = process.gate.load(std::memory_order_relaxed);
  if (has(ledger::Control::kArm) && gate <= Gate::kDraining) {
    header.armed_realtime_ns.store(raw::RealtimeNs(),
                                   std::memory_order_relaxed);
    OpenGate(process, process.armed_gate);
  }
  if (has(ledger::Control::kDisarm) && gate > Gate::kDraining) {
    header.disarmed_realtime_ns.store(raw::RealtimeNs(),
                                      std::memory_order_relaxed);
    process.armed_late = true;
    OpenGate(process, Gate::kDraining);
  }
  if (has(ledger::Control::kFullStacks) && process.has_clock) {
    process.full_until.store(Seconds() + kFullStacksSeconds,
                             std::memory_order_relaxed);
  }
  if (has(ledger::Control::kReapScan)) ReapLiveScan();
  if (has(ledger::Control::kRuntime)) StartPythonHelper();
  if (has(ledger::Control::kScan)) {
    StartLiveScan(static_cast<std::uint32_t>((asked & ledger::kScanPauseMask) >>
                                             ledger::kScanPauseShift));
  }
  if (has(ledger::Control::kTrim)) {
    ServeTrim(static_cast<ledger::TrimAsker>((asked & ledger::kTrimByMask) >>
                                             ledger::kTrimByShift));
  }
  header.control_ack.fetch_add(1, std::memory_order_release);
}

void ProcessExits() {
  if (CurrentGate() <= Gate::kOff) return;
  SetState(g_books->file().header(), ledger::State::kExited);
}

void ProcessOrBorrowerExits() {
  if (CurrentGate() <= Gate::kOff) return;
  const long pid = raw::Call(SYS_getpid);
  if (!raw::Failed(pid) && pid != static_cast<long>(g_process->identity.pid)) {
    return;
  }
  ProcessExits();
}

namespace {

void ExchangeGate(Gate from, Gate to) {
  Process& process = *g_process;
  Gate expected = from;
  (void)process.armed_gate.compare_exchange_strong(expected, to,
                                                   std::memory_order_relaxed);
  expected = from;
  (void)process.gate.compare_exchange_strong(expected, to,
                                             std::memory_order_relaxed);
  // Not a gate that others opened or closed meanwhile.
  expected = from;
  (void)g_gate.gate.compare_exchange_strong(expected, to,
                                            std::memory_order_acq_rel);
}

}  // namespace

void EnterPython() { ExchangeGate(Gate::kActive, Gate::kPython); }
void LeavePython() { ExchangeGate(Gate::kPython, Gate::kActive); }

void ModulesChanged() {
  if (CurrentGate() <= Gate::kOff) return;
  g_process->env.rule_cache().Clear();
  g_books->ModulesChanged();
  ResumePython();
}

namespace {

__attribute__((constructor)) void OnLoad() {
  Start(Cause::kLoaded);
  WatchTheEnd();
  StartPythonHelper();
}
__attribute__((destructor)) void OnUnload() { ProcessExits(); }

}  // namespace

}  // namespace heapledger::preload
