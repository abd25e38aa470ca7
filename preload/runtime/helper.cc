// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/helper.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include <atomic>

#include "heapledger/ledger/name.h"
#include "preload/core/chunked_table.h"
#include "preload/lifecycle.h"
#include "preload/raw_io.h"
#include "preload/runtime/cpython.h"
#include "preload/runtime/gc_watch.h"
#include "preload/runtime/malloc_stats.h"
#include "preload/runtime/python_book.h"
#include "preload/runtime/python_reader.h"

// There where the program, or a library that it was linked with, is CPython.
extern "C" [[gnu::weak]] int Py_IsInitialized();

namespace heapledger::preload {
namespace {

using cpython::ThreadState;
using ledger::HelperState;
using ledger::PythonReason;

constexpr std::uint64_t kMillisecond = 1'000'000;
// Between two looks for an interpreter, which may come late or never.
constexpr std::uint64_t kFirstWaitNs = 2 * kMillisecond;
constexpr std::uint64_t kLongestWaitNs = 1000 * kMillisecond;
// A forked child may be about to exec.
constexpr std::uint64_t kChildWaitNs = 100 * kMillisecond;
constexpr std::uint64_t kRefreshNs = 10'000 * kMillisecond;
constexpr std::uint64_t kCensusNs = 60'000 * kMillisecond;
// Above it objects are not counted: that would hold up the program for more
// than some 100 ms at once.
constexpr std::uint64_t kMostBlocks = 4'000'000;
// What a refresh may take of the time: one part in so many.
constexpr std::uint64_t kBudget = 1000;

// Zero again in a forked child, which has no helper.
struct alignas(4096) HelperPage {
  std::atomic<bool> started;
  std::atomic<bool> finalized;
  std::atomic<std::uint32_t> sleep;  // always 0
  ChunkedTable<ledger::PythonRecord, 1> table;
};
constinit HelperPage g_page;

// Copied by fork; a child's helper goes on with it.
constinit cpython::Api g_api{};
constinit PythonReader g_reader{};
constinit bool g_installed = false;
// Where CPython was loaded for somebody alone.
constinit char g_library[ledger::kModulePathBytes] = {};
constinit std::atomic<bool> g_library_seen{false};

void Sleep(std::uint64_t ns) {
  const timespec time{static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  raw::Call(SYS_futex, reinterpret_cast<long>(&g_page.sleep),
            FUTEX_WAIT_PRIVATE, 0, reinterpret_cast<long>(&time));
}

ledger::PythonRecord* Record() {
  return g_page.table.Ensure(g_books->file(), 0);
}

void OnFinalized() { g_page.finalized.store(true, std::memory_order_release); }

void OnFork();

// Functions below run with the GIL held, or ask for it: none has anything to be
// undone at its end; see rule (1).

PythonReason Install(PythonBook& book) {
  const cpython::Version version = cpython::ParseVersion(g_api.get_version());
  book.record().version.store(version.Packed(), std::memory_order_relaxed);
  if (version.major != 3 || version.minor < 8) return PythonReason::kVersion;
  if (version.free_threaded) return PythonReason::kFreeThreaded;
  if (!cpython::LooksRight(g_api)) return PythonReason::kVersion;
  if (g_installed) return PythonReason::kNone;  // by a forked child's parent
  // Importing makes objects; see rule (2). Before 3.10 only gc itself can tell
  // the collector to wait.
  const bool enabled =
      g_api.disable_collector != nullptr && g_api.disable_collector() == 1;
  g_installed =
      g_reader.Open(g_api) && GcWatch::Install(g_api, OnFork, OnFinalized);
  if (enabled) (void)g_api.enable_collector();
  return g_installed ? PythonReason::kNone : PythonReason::kRefused;
}

struct Pace {
  std::uint64_t refresh_ns = kRefreshNs;
  std::uint64_t census_ns = kCensusNs;
  std::uint64_t next_census_ns = 0;
  bool budgeted = true;
};

void AddTo(ledger::AtomicU64& field, std::uint64_t value) {
  field.store(field.load(std::memory_order_relaxed) + value,
              std::memory_order_relaxed);
}

// With the GIL held.
void Look(PythonBook& book, Pace& pace) {
  const bool enabled = g_reader.DisableCollector(g_api);
  book.record().collector_enabled.store(enabled ? 1 : 0,
                                        std::memory_order_relaxed);
  GcWatch::Keep(g_api);
  g_reader.ReadCollections(g_api, book);
  g_reader.ReadHeap(g_api, book);
  const std::uint64_t begin = raw::FineNs();
  const bool small =
      !pace.budgeted ||
      book.record().blocks.load(std::memory_order_relaxed) <= kMostBlocks;
  if (begin >= pace.next_census_ns && small) {
    g_reader.CountObjects(g_api, book);
    const std::uint64_t end = raw::FineNs();
    std::uint64_t pause = pace.census_ns;
    if (pace.budgeted && pause < kBudget * (end - begin)) {
      pause = kBudget * (end - begin);
    }
    pace.next_census_ns = end + pause;
  }
  if (enabled) g_reader.EnableCollector(g_api);
}

// Whether an interpreter is up that may be asked for its lock.
bool HasInterpreter() {
  return g_api.is_initialized() != 0 &&
         !g_page.finalized.load(std::memory_order_acquire);
}

void AwaitInterpreter() {
  for (std::uint64_t wait = kFirstWaitNs; !HasInterpreter();) {
    Sleep(wait);
    wait = wait * 2 < kLongestWaitNs ? wait * 2 : kLongestWaitNs;
  }
}

Pace PaceOf(const Config& config) {
  Pace pace;
  if (config.python_refresh_ms != 0) {
    pace.refresh_ns = config.python_refresh_ms * kMillisecond;
  }
  if (config.python_census_ms != 0) {
    pace.census_ns = config.python_census_ms * kMillisecond;
  }
  // Whoever asks for a pace gets it.
  pace.budgeted = config.python_refresh_ms == 0 && config.python_census_ms == 0;
  return pace;
}

void Run(PythonBook& book) {
  if (g_installed) Sleep(kChildWaitNs);
  if (!g_api.Resolve(g_library)) {
    return book.SetState(HelperState::kOff, PythonReason::kNoSymbols);
  }
  AwaitInterpreter();
  Pace pace = PaceOf(g_process->config);
  // A thread state of our own, kept for good: from here on the interpreter
  // knows this thread as one of its own, and how to end it.
  (void)g_api.gil_ensure();
  const PythonReason refusal = Install(book);
  if (refusal != PythonReason::kNone) {
    (void)g_api.save_thread();
    return book.SetState(HelperState::kOff, refusal);
  }
  book.record().installed_realtime_ns.store(raw::RealtimeNs(),
                                            std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t begin = raw::FineNs();
    Look(book, pace);
    ledger::PythonCost& cost = book.record().cost;
    AddTo(cost.refreshes, 1);
    // Before others may write into the record.
    GcWatch::SetBook(&book.record());
    book.SetState(HelperState::kOn, PythonReason::kNone);
    ThreadState* const state = g_api.save_thread();
    const std::uint64_t held = raw::FineNs() - begin;
    AddTo(cost.held_ns, held);
    std::uint64_t pause = pace.refresh_ns;
    if (pace.budgeted && pause < kBudget * held) pause = kBudget * held;
    Sleep(pause);
    if (!HasInterpreter()) {
      return book.SetState(HelperState::kOff, PythonReason::kFinalized);
    }
    const std::uint64_t asked = raw::FineNs();
    g_api.restore_thread(state);
    AddTo(cost.waited_ns, raw::FineNs() - asked);
  }
}

void* ThreadMain(void*) {
  ledger::PythonRecord* const record = Record();
  if (record == nullptr) return nullptr;
  PythonBook book(record);
  book.SetState(HelperState::kWaiting, PythonReason::kNone);
  Run(book);
  return nullptr;
}

// No signal of the program's runs on the thread; those of libc's own (32 and
// 33) must: setuid() waits for every thread to take one, and so does a scan.
void StartThread() {
  std::uint64_t mask = ~(std::uint64_t{3} << 31);
  std::uint64_t before = 0;
  raw::Call(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&mask),
            reinterpret_cast<long>(&before), sizeof mask);
  pthread_t thread;
  const bool made = pthread_create(&thread, nullptr, ThreadMain, nullptr) == 0;
  raw::Call(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&before), 0,
            sizeof before);
  if (made) return;
  if (ledger::PythonRecord* const record = Record()) {
    PythonBook(record).SetState(HelperState::kOff, PythonReason::kNoThread);
  }
}

// In a child of os.fork(), where Python may run again.
void OnFork() {
  Start(Cause::kAllocation);
  StartPythonHelper();
}

// "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"
bool IsCPython(const char* path) {
  const char* name = path;
  for (const char* c = path; *c != '\0'; ++c) {
    if (*c == '/') name = c + 1;
  }
  constexpr char kPrefix[] = "libpython3.";
  for (std::size_t i = 0; i + 1 < sizeof kPrefix; ++i) {
    if (name[i] != kPrefix[i]) return false;
  }
  return true;
}

}  // namespace

void StartPythonHelper() {
  if (CurrentGate() <= Gate::kOff || !g_process->config.python_metrics) return;
  if (&Py_IsInitialized == nullptr &&
      !g_library_seen.load(std::memory_order_acquire)) {
    return;
  }
  if (g_page.started.load(std::memory_order_relaxed)) return;
  if (!raw::WipeOnFork(&g_page, sizeof g_page)) return;
  if (g_page.started.exchange(true, std::memory_order_acq_rel)) return;
  StartThread();
}

void AskForPythonHelper() {
  if (!g_process->config.python_metrics) return;
  g_books->file().header().control.fetch_or(
      static_cast<std::uint64_t>(ledger::Control::kRuntime),
      std::memory_order_acq_rel);
}

void NoticeRuntime(const char* path, ledger::AtomicU64& control) {
  if (&Py_IsInitialized != nullptr || !IsCPython(path)) return;
  if (g_library_seen.load(std::memory_order_relaxed)) return;
  ledger::NameBuilder(g_library, sizeof g_library).Text(path);
  g_library_seen.store(true, std::memory_order_release);
  control.fetch_or(static_cast<std::uint64_t>(ledger::Control::kRuntime),
                   std::memory_order_acq_rel);
}

}  // namespace heapledger::preload
