// SPDX-License-Identifier: Apache-2.0
// heapledger run [options] -- CMD…
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/child.h"
#include "collector/cli/memory_view.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/report_view.h"
#include "collector/cli/run_directory.h"
#include "collector/cli/run_mode.h"
#include "collector/cli/run_snapshots.h"
#include "collector/cli/shim_environment.h"
#include "collector/cli/symbols.h"
#include "collector/cli/verb.h"
#include "collector/shm/host_ledgers.h"

namespace heapledger::collector::cli {
namespace {

struct Arguments {
  std::vector<std::string> command;
  ShimSettings shim;
  std::string directory;
  SnapshotPlan snapshots;
  std::string every;
  bool force = false;
  bool discard = false;
};

// The last image of the program itself.
std::shared_ptr<const LedgerSnapshot> RootOf(const HostSnapshot& host,
                                             pid_t pid) {
  std::shared_ptr<const LedgerSnapshot> root;
  for (const auto& snapshot : host.ledgers) {
    if (snapshot->identity.pid != static_cast<std::uint32_t>(pid)) continue;
    if (root == nullptr || snapshot->identity.image > root->identity.image) {
      root = snapshot;
    }
  }
  return root;
}

std::string Ending(const ChildResult& result) {
  if (result.signal != 0) {
    return absl::StrCat("killed by signal ", result.signal, " (",
                        strsignal(result.signal), ")");
  }
  return absl::StrCat("exit status ", result.status);
}

std::string WhyUnmeasured(const HostSnapshot& host, pid_t pid) {
  for (const UnmeasuredProcess& process : host.unmeasured) {
    if (process.pid != static_cast<std::uint32_t>(pid) || !process.off_reason) {
      continue;
    }
    return absl::StrCat(OffReasonText(*process.off_reason), "; ",
                        OffReasonRemedy(*process.off_reason));
  }
  return "the shim was not loaded or could not make a ledger; ask heapledger "
         "doctor -- CMD";
}

// "; 3 more processes measured, 1 not"
std::string Others(const HostSnapshot& host, std::size_t swept) {
  const std::size_t measured = host.ledgers.size() + swept -
                               std::min<std::size_t>(1, host.ledgers.size());
  std::string text;
  if (measured > 0) {
    absl::StrAppend(&text, "; ", HumanCount(measured),
                    measured == 1 ? " more process" : " more processes",
                    " or images measured");
  }
  if (!host.unmeasured.empty()) {
    absl::StrAppend(&text, "; ", HumanCount(host.unmeasured.size()),
                    " not measured");
  }
  if (swept > 0) {
    absl::StrAppend(&text, "; ", HumanCount(swept),
                    " ledgers of ended processes removed for room");
  }
  return text;
}

// What the ledger says: "live at exit 3 MiB in 12 objects, …"
std::string Accounts(const LedgerSnapshot& root) {
  if (root.never_armed()) {
    return "nothing was measured, as it stayed dormant; arm such a program "
           "while it runs";
  }
  const std::string about = AboutSign(root);
  return absl::StrCat("live at exit ", about,
                      HumanBytes(root.totals.live_bytes()), " in ", about,
                      HumanCount(root.totals.live_objects()), " objects, peak ",
                      about, HumanBytes(root.peak_live_bytes), ", ", about,
                      HumanCount(root.totals.allocated_objects), " allocations",
                      ModeRemarks(root));
}

std::string NextCommand(const Arguments& arguments,
                        const LedgerSnapshot& root) {
  std::string command =
      root.never_armed()
          ? absl::StrCat("heapledger arm ", Printable(root.identity.Program()))
          : absl::StrCat("heapledger report ", root.identity.pid);
  if (!arguments.directory.empty()) {
    absl::StrAppend(&command, " --dir ", arguments.directory);
  }
  return command;
}

// One verdict line, a short table, the next command: on stderr, as stdout is
// the program's.
void Conclude(const Arguments& arguments, const RunDirectory& directory,
              const ChildResult& result) {
  DiscoveryOptions options;
  options.uid = geteuid();
  options.directory = directory.path();
  HostLedgers ledgers(options);
  const HostSnapshot host = ledgers.Take(UnmeasuredScan::kMarkersOnly);
  const bool colour = WantsColour(STDERR_FILENO);
  const std::string program = Printable(arguments.command[0]);
  const auto root = RootOf(host, result.pid);
  if (root == nullptr) {
    std::fprintf(stderr, "heapledger: run: %s: %s; not measured: %s%s\n",
                 program.c_str(), Ending(result).c_str(),
                 WhyUnmeasured(host, result.pid).c_str(),
                 Others(host, directory.swept()).c_str());
    return;
  }
  const std::string verdict =
      absl::StrCat(program, " (pid ", result.pid, "): ", Ending(result), "; ",
                   Accounts(*root), Others(host, directory.swept()));
  std::fprintf(stderr, "heapledger: run: %s\n",
               Styled(verdict, Style::kBold, colour).c_str());
  if (const std::string end = EndSentence(*root); !end.empty()) {
    std::fprintf(stderr, "heapledger: run: %s\n", end.c_str());
  }
  Symbols symbols;
  FrameNames& names = symbols.For(Heap());
  ReportOptions report_options;
  report_options.limit = 5;
  const Report report = MakeReport(*ViewAll(root, names), report_options);
  if (!report.rows.empty()) {
    std::fputs(ReportTable(report, report_options, names).c_str(), stderr);
  }
  if (!arguments.discard) {
    std::fprintf(stderr, "heapledger: run: next: %s\n",
                 NextCommand(arguments, *root).c_str());
  }
}

class OnceASecond {
 public:
  bool Due() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return false;
    next_ = now + std::chrono::seconds(1);
    return true;
  }

 private:
  std::chrono::steady_clock::time_point next_{};
};

absl::StatusOr<SnapshotPlan> PlanOf(const Arguments& arguments) {
  SnapshotPlan plan = arguments.snapshots;
  if (arguments.force) plan.overwrite = Overwrite::kForce;
  if (!arguments.every.empty()) {
    const auto every = ParseInterval(arguments.every);
    if (!every.ok()) return every.status();
    plan.every = *every;
  }
  return plan;
}

// With --python a script may stand for itself.
void AddInterpreter(std::vector<std::string>& command) {
  if (command.empty() || !command[0].ends_with(".py")) return;
  if (access(command[0].c_str(), X_OK) == 0) return;
  command.insert(command.begin(), "python3");
}

int Run(const Arguments& arguments, const CommandLine& line) {
  if (arguments.command.empty()) {
    return Fail("run", "no command to run; give one: heapledger run -- CMD",
                kUsage);
  }
  const absl::Status mode =
      CheckMode(arguments.shim.mode,
                {{"HEAPLEDGER_MODE", FromEnvironment("HEAPLEDGER_MODE")},
                 {"HEAPLEDGER_STACK", FromEnvironment("HEAPLEDGER_STACK")}});
  if (!mode.ok()) return Fail("run", std::string(mode.message()), kUsage);
  const auto plan = PlanOf(arguments);
  if (!plan.ok()) return FailWith("run", plan.status());
  auto directory = arguments.directory.empty()
                       ? RunDirectory::Create(DiscoveryFor(""))
                       : RunDirectory::Use(arguments.directory);
  if (!directory.ok()) {
    return Fail("run", std::string(directory.status().message()), kNotMeasured);
  }
  const auto environment = ShimEnvironment(arguments.shim, *directory);
  if (!environment.ok()) {
    directory->Remove();
    return Fail("run", std::string(environment.status().message()),
                kNotMeasured);
  }
  auto snapshots = RunSnapshots::Create(*plan, directory->path());
  if (!snapshots.ok()) {
    if (arguments.directory.empty()) directory->Remove();
    return FailWith("run", snapshots.status());
  }
  OnceASecond sweep;
  const ChildResult result =
      RunChild(arguments.command, *environment,
               {[&directory, &snapshots, &sweep](pid_t root) {
                  snapshots->Tick(root);
                  if (!sweep.Due()) return;
                  directory->Sweep([&snapshots](const std::string& path) {
                    snapshots->BeforeRemoval(path);
                  });
                },
                snapshots->interval()});
  if (result.start_error != 0) {
    if (arguments.directory.empty()) directory->Remove();
    return Fail(
        "run",
        absl::StrCat("cannot start ", arguments.command[0], ": ",
                     strerror(result.start_error), "; check its name and PATH"),
        result.status);
  }
  if (!line.quiet) Conclude(arguments, *directory, result);
  if (plan->wanted()) {
    for (const std::string& said : snapshots->Finish(result.pid)) {
      if (!line.quiet || !said.starts_with("wrote")) {
        std::fprintf(stderr, "heapledger: run: %s\n", said.c_str());
      }
    }
  }
  if (arguments.discard && arguments.directory.empty()) directory->Remove();
  return result.status;
}

}  // namespace

Verb AddRun(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app =
      parent.add_subcommand("run",
                            "Start a program with the shim, report at "
                            "its end");
  app->add_option("CMD", arguments->command,
                  "The program and its arguments, best after --")
      ->type_name("...");
  AddModeOptions(*app, arguments->shim.mode);
  app->add_option("--max-depth", arguments->shim.max_depth,
                  "Frames kept of a stack, 1 to 512 (default 128)")
      ->check(CLI::Range(1U, 512U).description(""))
      ->type_name("N");
  app->add_option("--allocator", arguments->shim.allocator,
                  "Under the shim: system or jemalloc (default system)")
      ->check(CLI::IsMember({"system", "jemalloc"}).description(""))
      ->type_name("NAME");
  app->add_option(
         "--python", arguments->shim.python,
         "Python frames in stacks; CMD may be a .py file. malloc: "
         "every object on its own (default), arenas: leave CPython's "
         "allocator in place, metrics: the interpreter's figures, by a "
         "thread in the program, and no frames, all: malloc and metrics")
      ->expected(0, 1)
      ->default_str("malloc")
      ->check(
          CLI::IsMember({"malloc", "arenas", "metrics", "all"}).description(""))
      ->type_name("[HOW]");
  app->add_option("--follow", arguments->shim.follow,
                  "Children to measure: all, none or names (default all)")
      ->delimiter(',')
      ->expected(1)
      ->type_name("WHOM");
  app->add_option("--dir", arguments->directory,
                  "Put the ledgers here and leave them")
      ->type_name("DIR");
  app->add_option("-o,--output", arguments->snapshots.output,
                  "Write a snapshot at the end, with %p in the name of each "
                  "process; see heapledger snapshot --help")
      ->type_name("FILE");
  app->add_flag("--snapshot-at-peak", arguments->snapshots.at_peak,
                "Write a snapshot of the highest moment seen");
  app->add_option("--snapshot-every", arguments->every,
                  "Write a snapshot this often, such as 30s or 5m")
      ->type_name("DURATION");
  app->add_option("--snapshot-keep", arguments->snapshots.keep,
                  "Of those keep the last so many (default 24)")
      ->check(CLI::Range(1, 100000).description(""))
      ->type_name("N");
  app->add_flag("--force", arguments->force, "Overwrite these files");
  app->add_flag("--discard", arguments->discard,
                "Remove the ledgers at the end");
  app->footer(
      "Examples:\n  heapledger run -- sqlite3 :memory: 'select 1'\n"
      "  heapledger run --mode sampled --sample-bytes 65536 -- python3 app.py\n"
      "  heapledger run --stack adaptive --budget 5 -- redis-server\n"
      "  heapledger run --python -- app.py\n"
      "  heapledger run --mode dormant -- nginx   (later: heapledger arm "
      "nginx)");
  return {app, [arguments, &line] {
            std::vector<std::string>& command = arguments->command;
            if (!command.empty() && !line.after_dashes.empty()) {
              command.emplace_back("--");  // it was the program's own
            }
            command.insert(command.end(), line.after_dashes.begin(),
                           line.after_dashes.end());
            if (!arguments->shim.python.empty()) AddInterpreter(command);
            return Run(*arguments, line);
          }};
}

}  // namespace heapledger::collector::cli
