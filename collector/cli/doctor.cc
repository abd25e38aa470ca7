// SPDX-License-Identifier: Apache-2.0
// heapledger doctor [-- CMD]
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/doctor_check.h"
#include "collector/cli/doctor_probe.h"
#include "collector/cli/doctor_program.h"
#include "collector/cli/doctor_surroundings.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/cli/shim.h"
#include "collector/cli/shim_environment.h"
#include "collector/cli/verb.h"
#include "collector/shm/host_ledgers.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "ok";
    case Verdict::kNote:
      return "note";
    case Verdict::kBad:
      return "bad";
  }
  return "";
}

void CheckShim(Checks& checks) {
  const auto shim = FindShim();
  if (!shim.ok()) {
    checks.push_back({"shim", Verdict::kBad,
                      std::string(shim.status().message()),
                      "build with scripts/build, or install the package"});
    return;
  }
  struct statvfs facts;
  if (statvfs(shim->c_str(), &facts) == 0 && (facts.f_flag & ST_NOEXEC) != 0) {
    checks.push_back({"shim", Verdict::kBad,
                      absl::StrCat(*shim,
                                   " lies on a file system mounted noexec, "
                                   "from which nothing can be loaded"),
                      "copy it to another one, or remount that with exec"});
    return;
  }
  checks.push_back({"shim", Verdict::kGood, *shim, ""});
}

void CheckKernel(Checks& checks) {
  utsname name;
  int major = 0;
  int minor = 0;
  if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) {
    checks.push_back({"kernel", Verdict::kNote, "its version is unknown", ""});
    return;
  }
  const bool new_enough = major > 5 || (major == 5 && minor >= 14);
  checks.push_back({"kernel", new_enough ? Verdict::kGood : Verdict::kBad,
                    absl::StrCat("Linux ", name.release),
                    new_enough ? "" : "Linux 5.14 or later is needed"});
}

std::string MountFlags(unsigned long flags) {
  std::string text;
  if ((flags & ST_RDONLY) != 0) text += ", read-only";
  if ((flags & ST_NOSUID) != 0) text += ", nosuid";
  if ((flags & ST_NODEV) != 0) text += ", nodev";
  if ((flags & ST_NOEXEC) != 0) {
    text += ", noexec, which does no harm: a ledger is data";
  }
  return text;
}

void CheckPlace(const std::string& path, Checks& checks) {
  struct statvfs facts;
  if (statvfs(path.c_str(), &facts) != 0) {
    checks.push_back({path, Verdict::kNote, "it does not exist",
                      "ledgers go to the other place, or to HEAPLEDGER_DIR"});
    return;
  }
  const std::uint64_t size = std::uint64_t{facts.f_blocks} * facts.f_frsize;
  const std::uint64_t room = std::uint64_t{facts.f_bavail} * facts.f_frsize;
  Check check{path, Verdict::kGood,
              absl::StrCat(HumanBytes(room), " free of ", HumanBytes(size),
                           MountFlags(facts.f_flag)),
              ""};
  // A ledger takes at most a quarter of the room; less than 4 MiB is meagre.
  constexpr std::uint64_t kMeagreBytes = 16ULL << 20;
  if ((facts.f_flag & ST_RDONLY) != 0) {
    check.verdict = Verdict::kNote;
    check.remedy = "remount it, or set HEAPLEDGER_DIR";
  } else if (room < kMeagreBytes) {
    check.verdict = Verdict::kNote;
    check.remedy =
        "free some space, or set HEAPLEDGER_DIR; a container takes "
        "--shm-size";
  }
  checks.push_back(std::move(check));
}

void CheckDirectories(const DiscoveryOptions& options, Checks& checks) {
  if (!options.directory.empty()) {
    CheckPlace(options.directory, checks);
  } else {
    for (const std::string& parent : options.parents) {
      CheckPlace(parent, checks);
    }
  }
  for (const std::string& problem : DiscoverLedgers(options).problems) {
    checks.push_back({"ledger directory", Verdict::kBad, problem,
                      "set HEAPLEDGER_DIR to a directory of your own"});
  }
}

void CheckLimit(int resource, const char* name, std::uint64_t least,
                const char* remedy, Checks& checks) {
  rlimit limit;
  // glibc's getrlimit takes an enum in C++.
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  if (limit.rlim_cur == RLIM_INFINITY) {
    checks.push_back({name, Verdict::kGood, "unlimited", ""});
  } else if (limit.rlim_cur >= least) {
    checks.push_back({name, Verdict::kGood, HumanBytes(limit.rlim_cur), ""});
  } else {
    checks.push_back({name, Verdict::kBad,
                      absl::StrCat(HumanBytes(limit.rlim_cur), ", and ",
                                   HumanBytes(least), " are needed"),
                      remedy});
  }
}

void CheckLimits(Checks& checks) {
  // As the shim asks (preload/segment.cc): room for the object map's addresses,
  // and a ledger's smallest file.
  CheckLimit(RLIMIT_AS, "address space limit", 1ULL << 30,
             "raise it: ulimit -v unlimited", checks);
  CheckLimit(RLIMIT_FSIZE, "file size limit", 1ULL << 20,
             "raise it: ulimit -f unlimited", checks);
}

void CheckUnmeasured(const DiscoveryOptions& options, Checks& checks) {
  const HostSnapshot host = HostLedgers(options).Take();
  for (const UnmeasuredProcess& process : host.unmeasured) {
    if (!process.alive) continue;
    const std::string who =
        absl::StrCat("pid ", process.pid, " (", process.program, ")");
    if (process.off_reason) {
      checks.push_back({who, Verdict::kNote,
                        absl::StrCat("preloaded but not measured: ",
                                     OffReasonText(*process.off_reason)),
                        OffReasonRemedy(*process.off_reason)});
    } else {
      checks.push_back({who, Verdict::kNote,
                        "preloaded but not measured: it has no ledger here",
                        "it may use another HEAPLEDGER_DIR; look there with "
                        "--dir"});
    }
  }
  for (const std::string& problem : host.problems) {
    checks.push_back({"ledger", Verdict::kNote, problem, ""});
  }
}

void Print(const Checks& checks) {
  const bool colour = WantsColour(STDOUT_FILENO);
  for (const Check& check : checks) {
    const Style style =
        check.verdict == Verdict::kBad ? Style::kRed : Style::kPlain;
    std::string line = absl::StrCat(
        Styled(std::string(Word(check.verdict)) +
                   std::string(check.verdict == Verdict::kGood ? "    " : "  "),
               style, colour),
        check.verdict == Verdict::kBad ? " " : "", Printable(check.name), ": ",
        Printable(check.text));
    if (!check.remedy.empty()) {
      absl::StrAppend(&line, "; ", Printable(check.remedy));
    }
    puts(line.c_str());
  }
}

int Run(const std::string& command, const std::string& directory, bool json) {
  const DiscoveryOptions options = DiscoveryFor(directory);
  Checks checks;
  CheckShim(checks);
  CheckKernel(checks);
  CheckDirectories(options, checks);
  CheckLimits(checks);
  const Surroundings surroundings = {.preload_variable =
                                         FromEnvironment("LD_PRELOAD")};
  CheckPreloads(surroundings, checks);
  CheckSeccomp(surroundings, checks);
  CheckPtrace(surroundings, checks);
  CheckProbe(options, checks);
  if (!command.empty()) CheckCommand(command, checks);
  CheckUnmeasured(options, checks);
  if (json) {
    Json list = Json::array();
    for (const Check& check : checks) {
      list.push_back({{"name", check.name},
                      {"verdict", Word(check.verdict)},
                      {"text", check.text},
                      {"remedy", check.remedy}});
    }
    fputs(JsonText({{"checks", std::move(list)}}).c_str(), stdout);
  } else {
    Print(checks);
  }
  const bool bad = std::ranges::any_of(checks, [](const Check& check) {
    return check.verdict == Verdict::kBad;
  });
  return bad ? kNotMeasured : kDone;
}

}  // namespace

Verb AddDoctor(CLI::App& parent, const CommandLine& line) {
  struct Arguments {
    std::string command;
    std::string directory;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "doctor", "Why a program could not be measured, and what to do");
  app->add_option("CMD", arguments->command, "The program to look at");
  app->add_flag("--json", arguments->json, "As JSON");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Example: heapledger doctor -- nginx\n"
      "Ends with 3 if something keeps programs from being measured.");
  return {app, [arguments, &line] {
            if (!line.after_dashes.empty()) {
              arguments->command = line.after_dashes[0];
            }
            return Run(arguments->command, arguments->directory,
                       arguments->json);
          }};
}

}  // namespace heapledger::collector::cli
