// SPDX-License-Identifier: Apache-2.0
// A preloadable referee for the walker: interposes malloc, calloc and realloc,
// walks the stack of every N-th call with our walker and with libunwind, from
// the same frame, and compares whole stacks. At exit it appends its counts and
// the first disagreements to a file.
//
//   STACK_CHECK_EVERY   N, default 100
//   STACK_CHECK_OUT     the file; without it nothing is checked
//
// For tests only: it allocates (libunwind does), and it knows glibc's malloc.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "preload/unwind/walker.h"
#include "tests/support/glibc_walk_env.h"
#include "tests/support/libunwind_stack.h"

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
extern char* program_invocation_short_name;
}

namespace heapledger::testing {
namespace {

using unwind::kExactPcBit;
using unwind::Registers;
using unwind::StackBounds;
using unwind::WalkResult;

constexpr std::uint32_t kMaxDepth = LibunwindStack::kMaxDepth;
constexpr std::uint32_t kMaxReports = 20;
constexpr std::uint32_t kReportDepth = 64;

struct Report {
  WalkResult result;
  bool theirs_complete;
  std::uint32_t depth[2];
  std::uint64_t frames[2][kReportDepth];
};

struct Counts {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> samples{0};
  std::atomic<std::uint64_t> equal{0};
  std::atomic<std::uint64_t> incomplete{0};         // ours
  std::atomic<std::uint64_t> incomplete_theirs{0};  // libunwind's
  std::atomic<std::uint64_t> frame_pointers{0};
  std::atomic<std::uint64_t> recovered{0};
  std::atomic<std::uint64_t> frames{0};
  std::atomic<std::uint32_t> reports{0};
};

constinit Counts g_counts;
constinit Report g_reports[kMaxReports] = {};
std::atomic<std::uint64_t> g_every{0};  // 0: not started, or off
const char* g_path = nullptr;

thread_local bool t_busy = false;
thread_local bool t_has_bounds = false;
thread_local StackBounds t_bounds;

GlibcWalkEnv& Env() {
  alignas(GlibcWalkEnv) static unsigned char memory[sizeof(GlibcWalkEnv)];
  static GlibcWalkEnv* const env = new (memory) GlibcWalkEnv;
  return *env;
}

void Keep(Report* report, int side, const std::uint64_t* frames,
          std::uint32_t depth) {
  report->depth[side] = depth;
  for (std::uint32_t i = 0; i < depth && i < kReportDepth; ++i) {
    report->frames[side][i] = frames[i];
  }
}

[[gnu::noinline]] void Compare(const Registers& start) {
  std::uint64_t ours[kMaxDepth];
  LibunwindStack theirs;
  TakeLibunwindStack(start.rsp, &theirs);
  const WalkResult result =
      unwind::Walk(Env(), start, t_bounds, ours, kMaxDepth);
  bool equal = result.depth == theirs.depth;
  for (std::uint32_t i = 0; equal && i < result.depth; ++i) {
    equal = (ours[i] & ~kExactPcBit) == theirs.frames[i];
  }
  g_counts.samples.fetch_add(1);
  g_counts.frames.fetch_add(result.depth);
  if (result.incomplete()) g_counts.incomplete.fetch_add(1);
  if (!theirs.complete) g_counts.incomplete_theirs.fetch_add(1);
  if (result.used_frame_pointers) g_counts.frame_pointers.fetch_add(1);
  if (result.used_recovery) g_counts.recovered.fetch_add(1);
  if (equal) {
    g_counts.equal.fetch_add(1);
    return;
  }
  const std::uint32_t index = g_counts.reports.fetch_add(1);
  if (index >= kMaxReports) return;
  g_reports[index].result = result;
  g_reports[index].theirs_complete = theirs.complete;
  Keep(&g_reports[index], 0, ours, result.depth);
  Keep(&g_reports[index], 1, theirs.frames, theirs.depth);
}

[[gnu::noinline]] void Sample(const Registers& start) {
  if (t_busy) return;
  t_busy = true;
  const int saved_errno = errno;
  if (!t_has_bounds) {
    t_bounds = ThreadStackBounds();
    t_has_bounds = true;
  }
  Compare(start);
  errno = saved_errno;
  t_busy = false;
}

inline void OnCall(const Registers& start) {
  const std::uint64_t every = g_every.load(std::memory_order_relaxed);
  if (every == 0 || t_busy) return;
  if (g_counts.calls.fetch_add(1, std::memory_order_relaxed) % every == 0) {
    Sample(start);
  }
}

void ForgetCounts() {
  g_counts.calls = g_counts.samples = g_counts.equal = 0;
  g_counts.incomplete = g_counts.incomplete_theirs = 0;
  g_counts.frame_pointers = g_counts.recovered = g_counts.frames = 0;
  g_counts.reports = 0;
}

// --- The report: one write to a file that other processes append to as well.

class Text {
 public:
  [[gnu::format(printf, 2, 3)]] void Add(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length =
        vsnprintf(text_ + size_, sizeof text_ - size_, format, arguments);
    va_end(arguments);
    if (length > 0) size_ += static_cast<std::size_t>(length);
    if (size_ > sizeof text_ - 1) size_ = sizeof text_ - 1;
  }
  void AppendTo(const char* path) const {
    const int file =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    if (write(file, text_, size_) < 0) perror("stack_check");
    close(file);
  }

 private:
  char text_[128 << 10];
  std::size_t size_ = 0;
};
Text g_text;

void AddFrame(std::uint64_t pc) {
  Dl_info info = {};
  const char* const exact = (pc & kExactPcBit) != 0 ? " exact" : "";
  pc &= ~kExactPcBit;
  if (dladdr(reinterpret_cast<void*>(pc), &info) == 0) {
    g_text.Add("%#lx", static_cast<unsigned long>(pc));
  } else {
    g_text.Add("%s+%#lx (%s)", info.dli_fname,
               static_cast<unsigned long>(
                   pc - reinterpret_cast<std::uint64_t>(info.dli_fbase)),
               info.dli_sname == nullptr ? "?" : info.dli_sname);
  }
  g_text.Add("%s\n", exact);
}

void AddReport(const Report& report) {
  g_text.Add("disagreement end=%d theirs_complete=%d\n",
             static_cast<int>(report.result.end), report.theirs_complete);
  for (int side = 0; side < 2; ++side) {
    for (std::uint32_t i = 0; i < report.depth[side] && i < kReportDepth; ++i) {
      g_text.Add("  %s %2u ", side == 0 ? "ours  " : "theirs", i);
      AddFrame(report.frames[side][i]);
    }
  }
}

unsigned long Value(const std::atomic<std::uint64_t>& count) {
  return count.load();
}

[[gnu::destructor]] void Finish() {
  if (g_every.exchange(0) == 0) return;
  const std::uint64_t unequal = g_counts.samples - g_counts.equal;
  g_text.Add(
      "samples %lu equal %lu unequal %lu incomplete %lu incomplete_theirs %lu "
      "frame_pointers %lu recovered %lu frames %lu program %s\n",
      Value(g_counts.samples), Value(g_counts.equal),
      static_cast<unsigned long>(unequal), Value(g_counts.incomplete),
      Value(g_counts.incomplete_theirs), Value(g_counts.frame_pointers),
      Value(g_counts.recovered), Value(g_counts.frames),
      program_invocation_short_name);
  for (std::uint32_t i = 0; i < g_counts.reports && i < kMaxReports; ++i) {
    AddReport(g_reports[i]);
  }
  g_text.AppendTo(g_path);
}

[[gnu::constructor]] void Start() {
  g_path = getenv("STACK_CHECK_OUT");
  if (g_path == nullptr) return;
  const char* const every = getenv("STACK_CHECK_EVERY");
  const unsigned long interval =
      every == nullptr ? 100 : strtoul(every, nullptr, 10);
  pthread_atfork(nullptr, nullptr, ForgetCounts);
  (void)Env();
  g_every = interval == 0 ? 1 : interval;
}

}  // namespace
}  // namespace heapledger::testing

#define STACK_CHECK_EXPORT \
  extern "C" __attribute__((visibility("default"), noinline))

STACK_CHECK_EXPORT void* malloc(std::size_t bytes) {
  heapledger::testing::OnCall(HEAPLEDGER_CALLER_REGISTERS());
  return __libc_malloc(bytes);
}

STACK_CHECK_EXPORT void* calloc(std::size_t count, std::size_t bytes) {
  heapledger::testing::OnCall(HEAPLEDGER_CALLER_REGISTERS());
  return __libc_calloc(count, bytes);
}

STACK_CHECK_EXPORT void* realloc(void* block, std::size_t bytes) {
  heapledger::testing::OnCall(HEAPLEDGER_CALLER_REGISTERS());
  return __libc_realloc(block, bytes);
}
