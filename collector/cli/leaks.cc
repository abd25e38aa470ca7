// SPDX-License-Identifier: Apache-2.0
// heapledger leaks PID|NAME, or FILE FILE FILE…
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/leaks_view.h"
#include "collector/cli/output.h"
#include "collector/cli/pager.h"
#include "collector/cli/report_json.h"
#include "collector/cli/run_snapshots.h"
#include "collector/cli/scan_request.h"
#include "collector/cli/suspect_options.h"
#include "collector/cli/symbols.h"
#include "collector/cli/verb.h"
#include "collector/leaks/leaks_json.h"
#include "collector/leaks/sample_schedule.h"
#include "collector/leaks/snapshot_series.h"
#include "collector/shm/ledger_reader.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// A look fills the finest tier of floors, and has a few buckets to spare for a
// judgement to be repeated.
constexpr int kBucketsPerLook = 52;
constexpr int kSamplesPerLook = 200;
constexpr const char* kUsualLook = "30s";
constexpr nanoseconds kShortestLook = std::chrono::seconds(5);
constexpr nanoseconds kShortestPause = std::chrono::milliseconds(1);
constexpr nanoseconds kLongestPause = std::chrono::seconds(1);

struct Arguments {
  std::vector<std::string> what;
  std::string duration;
  bool scan = false;
  std::string max_pause;
  std::uint64_t limit_bytes = 0;
  SuspectArguments suspects;
  SymbolOptions symbols;
  std::string directory;
  bool json = false;
};

struct Findings {
  std::shared_ptr<const ProcessLeakView> leaks;
  std::vector<Acquitted> acquitted;
};

volatile std::sig_atomic_t g_interrupted = 0;

// Ends a look early, with what it has seen so far.
void EndLookOnInterrupt() {
  std::signal(SIGINT, [](int) { g_interrupted = 1; });
}

class Progress {
 public:
  Progress(const LedgerIdentity& who, nanoseconds length, bool quiet)
      : length_(length), bar_(!quiet && isatty(STDERR_FILENO) != 0) {
    if (quiet) return;
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(length).count();
    const std::string text = absl::StrCat(
        "looks at ", Printable(who.Program()), " (pid ", who.pid, ") for ",
        seconds, " s; --duration changes it, Ctrl-C ends it early");
    std::fprintf(stderr, "heapledger: leaks: %s\n", text.c_str());
  }
  ~Progress() {
    if (bar_) std::fputs("\r\x1b[K", stderr);
  }

  void Show(nanoseconds passed) const {
    if (!bar_) return;
    constexpr int kColumns = 30;
    const auto full = static_cast<std::size_t>(
        std::min<std::int64_t>(kColumns, kColumns * passed / length_));
    std::fprintf(stderr, "\rheapledger: leaks: [%s%s]",
                 std::string(full, '#').c_str(),
                 std::string(kColumns - full, '.').c_str());
    std::fflush(stderr);
  }

 private:
  const nanoseconds length_;
  const bool bar_;
};

absl::StatusOr<LeakOptions> OptionsFor(const Arguments& arguments,
                                       nanoseconds duration) {
  LeakOptions options;
  options.base_width_ns =
      static_cast<std::uint64_t>(duration.count() / kBucketsPerLook);
  // Half a look, which is 24 buckets, may be the window of a first judgement.
  options.growth.minimum_window_ns = 24 * options.base_width_ns;
  auto rules = RulesFor(arguments.suspects);
  if (!rules.ok()) return rules.status();
  options.rules = *std::move(rules);
  return options;
}

bool Ended(const LedgerSnapshot& snapshot) {
  return snapshot.state != ProcessState::kLive &&
         snapshot.state != ProcessState::kStarting;
}

absl::StatusOr<Findings> Look(const Heap& heap, const LeakOptions& options,
                              nanoseconds duration,
                              const DiscoveryOptions& discovery,
                              Symbols& symbols, bool quiet) {
  auto reader = LedgerReader::Open(heap.snapshot->path);
  if (!reader.ok()) return reader.status();
  FrameNames& names = symbols.For(heap);
  ProcessAccount account({.top_limit = 0, .history_limit = 0}, &names);
  ProcessLeaks leaks(options);
  Findings findings;
  std::shared_ptr<const LedgerSnapshot> last;
  EndLookOnInterrupt();
  {
    const Progress progress(heap.snapshot->identity, duration,
                            quiet || duration == nanoseconds(0));
    const Clock::time_point begin = Clock::now();
    SampleSchedule schedule(
        begin,
        std::clamp(duration / kSamplesPerLook, kShortestPause, kLongestPause),
        std::random_device()());
    while (true) {
      auto snapshot = (*reader)->Take();
      if (!snapshot.ok()) return snapshot.status();
      snapshot->state = JudgeState(
          snapshot->state, LivenessOf(discovery.proc_root, snapshot->identity));
      last = std::make_shared<const LedgerSnapshot>(*std::move(snapshot));
      (void)account.Update(last);
      findings.leaks = leaks.Update(account, last, names);
      const nanoseconds passed = Clock::now() - begin;
      progress.Show(passed);
      if (g_interrupted != 0 || passed >= duration || Ended(*last)) break;
      std::this_thread::sleep_until(schedule.Next(Clock::now()));
    }
  }
  if (Ended(*last) && !Ended(*heap.snapshot) && !quiet) {
    std::fprintf(stderr,
                 "heapledger: leaks: pid %u ended meanwhile; this is what was "
                 "seen until then\n",
                 last->identity.pid);
  }
  findings.acquitted = leaks.Acquittals(account, *last);
  return findings;
}

absl::StatusOr<Findings> Compare(const std::vector<Heap>& heaps,
                                 const LeakOptions& options, Symbols& symbols) {
  std::vector<HeapMoment> moments;
  for (const Heap& heap : heaps) {
    moments.push_back({heap.snapshot, &symbols.For(heap)});
  }
  auto leaks = SuspectsBetween(moments, options);
  if (!leaks.ok()) return leaks.status();
  return Findings{*std::move(leaks), {}};
}

absl::Status CannotLook(const Heap& heap, const std::string& what) {
  if (heap.is_file()) {
    return absl::InvalidArgumentError(absl::StrCat(
        what,
        " is one moment; give three snapshots or more, or a running program"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      what,
      " does not run any more, so nothing can be seen to grow; read what "
      "it left with heapledger report ",
      what));
}

std::string NextStep(const Findings& findings, bool compared, bool looked) {
  if (findings.leaks->suspects.empty() && !looked) {
    return "every block is pointed to from somewhere; what grows all the same "
           "shows without --scan";
  }
  if (!findings.leaks->suspects.empty()) {
    return compared ? "with -v each stack is shown"
                    : "with -v each stack is shown, and what rose too";
  }
  return compared ? "no callsite rose from each snapshot to the next"
                  : "no callsite's floor rose all along; a slow leak takes a "
                    "longer look, such as --duration 5m";
}

int Run(const Arguments& arguments, const CommandLine& line) {
  const DiscoveryOptions discovery = DiscoveryFor(arguments.directory);
  const bool looks = !arguments.scan || !arguments.duration.empty();
  const auto duration = ParseInterval(
      arguments.duration.empty() ? kUsualLook : arguments.duration);
  if (!duration.ok()) return FailWith("leaks", duration.status());
  if (*duration < kShortestLook) {
    return Fail("leaks", "a look of less than 5 s tells nothing; give more",
                kUsage);
  }
  const auto options = OptionsFor(arguments, *duration);
  if (!options.ok()) {
    return Fail("leaks", std::string(options.status().message()), kUsage);
  }
  std::vector<Heap> heaps;
  for (const std::string& word : arguments.what) {
    auto heap = FindHeap(discovery, word);
    if (!heap.ok()) return FailWith("leaks", heap.status());
    heaps.push_back(*std::move(heap));
  }
  const bool compared = heaps.size() > 1;
  Symbols symbols(arguments.symbols);
  const bool ended = !compared && Ended(*heaps[0].snapshot);
  // The dead have their scan at exit, if they had one.
  const bool scanned_at_exit =
      ended && heaps[0].snapshot->scan.state == ScanState::kComplete;
  if (!compared && !scanned_at_exit && (heaps[0].is_file() || ended)) {
    return FailWith("leaks", CannotLook(heaps[0], arguments.what[0]));
  }
  if (arguments.scan && (compared || ended)) {
    return Fail("leaks", "--scan is for a running program; leave it out",
                kUsage);
  }
  if (arguments.scan) {
    const absl::Status done =
        AskForScan(arguments.what[0], discovery, arguments.max_pause);
    if (!done.ok()) return FailWith("leaks", done);
  }
  const auto findings = compared
                            ? Compare(heaps, *options, symbols)
                            : Look(heaps[0], *options,
                                   looks && !ended ? *duration : nanoseconds(0),
                                   discovery, symbols, line.quiet);
  if (!findings.ok()) return FailWith("leaks", findings.status());
  FrameNames& names = symbols.For(heaps.back());
  if (arguments.json) {
    Page(JsonText(LeaksJson(*findings->leaks, names)));
    return kDone;
  }
  LeaksTextOptions text;
  if (line.verbosity > 0) text.stacks = StackLines::kAll;
  if (arguments.limit_bytes != 0) text.limit_bytes = arguments.limit_bytes;
  std::string page = LeaksText(*findings->leaks, text, names);
  if (line.verbosity > 0) page += AcquittedText(findings->acquitted);
  Page(page);
  if (!line.quiet && line.verbosity == 0) {
    std::fprintf(stderr, "heapledger: leaks: %s\n",
                 NextStep(*findings, compared, looks && !ended).c_str());
  }
  return kDone;
}

}  // namespace

Verb AddLeaks(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "leaks", "Callsites that are suspected to leak, with the evidence");
  app->add_option("PID|NAME|FILE", arguments->what,
                  "A running program; or three or more of .hl files, PID@MARK "
                  "and PID (as of now), in the order of their times")
      ->required();
  app->add_option("--duration", arguments->duration,
                  "How long to look at a running program (default 30s, with "
                  "--scan not at all)")
      ->type_name("DURATION");
  app->add_flag("--scan", arguments->scan,
                "Have the program's memory searched for blocks that nothing "
                "points to any more");
  app->add_option("--max-pause", arguments->max_pause,
                  "With --scan: for how long the program may be held up at "
                  "most (default 20ms); if that is too short, nothing is "
                  "found")
      ->type_name("DURATION");
  app->add_option("--limit", arguments->limit_bytes,
                  "Say when the program will have this many live bytes, such "
                  "as 2GiB")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("BYTES");
  AddSuspectOptions(*app, arguments->suspects);
  app->add_flag("--json", arguments->json, "As JSON");
  AddSymbolOptions(*app, arguments->symbols);
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger leaks redis-server --duration 5m\n"
      "  heapledger leaks redis-server --scan\n"
      "  heapledger leaks monday.hl tuesday.hl wednesday.hl\n"
      "A suspect is evidence, no verdict: a period longer than the look seems "
      "to grow on\nits way up. heapledger collect looks for days.");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
