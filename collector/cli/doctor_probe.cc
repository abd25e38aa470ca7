// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/doctor_probe.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/cli/run_directory.h"
#include "collector/cli/shim_environment.h"
#include "collector/shm/host_ledgers.h"

namespace heapledger::collector::cli {
namespace {

constexpr char kProgram[] = "/bin/true";

struct Ended {
  int start_error = 0;
  std::string said;  // its first line on stderr: the loader's
};

std::vector<std::string> EnvironmentWith(
    const std::map<std::string, std::string>& ours) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string name =
        std::string(*entry).substr(0, std::string(*entry).find('='));
    if (!ours.contains(name)) all.emplace_back(*entry);
  }
  for (const auto& [name, value] : ours) {
    all.push_back(absl::StrCat(name, "=", value));
  }
  return all;
}

Ended RunProbe(const std::map<std::string, std::string>& ours) {
  Ended ended;
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) {
    ended.start_error = errno;
    return ended;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  std::vector<std::string> environment = EnvironmentWith(ours);
  std::vector<char*> pointers;
  for (std::string& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  char name[] = "true";
  char* const arguments[] = {name, nullptr};
  pid_t pid = 0;
  ended.start_error = posix_spawn(&pid, kProgram, &actions, nullptr, arguments,
                                  pointers.data());
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t got; (got = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(pipe_ends[0]);
  if (ended.start_error == 0) waitpid(pid, nullptr, 0);
  ended.said = text.substr(0, text.find('\n'));
  return ended;
}

// What the probe left, as a check.
Check Outcome(const Ended& ended, const std::string& directory) {
  if (ended.start_error != 0) {
    return {
        "probe", Verdict::kNote,
        absl::StrCat(kProgram, " cannot be run: ", strerror(ended.start_error)),
        ""};
  }
  DiscoveryOptions options;
  options.uid = geteuid();
  options.directory = directory;
  const HostSnapshot host =
      HostLedgers(options).Take(UnmeasuredScan::kMarkersOnly);
  if (!host.ledgers.empty()) {
    return {"probe", Verdict::kGood,
            absl::StrCat(kProgram, " was measured here"), ""};
  }
  if (!host.unmeasured.empty() && host.unmeasured[0].off_reason) {
    const std::uint32_t reason = *host.unmeasured[0].off_reason;
    return {"probe", Verdict::kBad,
            absl::StrCat(kProgram,
                         " was not measured here: ", OffReasonText(reason)),
            OffReasonRemedy(reason)};
  }
  if (!ended.said.empty()) {
    return {"probe", Verdict::kBad,
            absl::StrCat("the shim was not loaded into ", kProgram,
                         ", as the loader says: ", ended.said),
            "put the shim where it may be read and mapped for execution"};
  }
  return {"probe", Verdict::kBad,
          absl::StrCat(kProgram, " left no ledger here, and no reason"),
          "a seccomp filter or a full directory may keep it from that; look "
          "at what strace -f shows"};
}

}  // namespace

void CheckProbe(const DiscoveryOptions& options, Checks& checks) {
  auto directory = RunDirectory::Create(options);
  if (!directory.ok()) {
    checks.push_back({"probe", Verdict::kBad,
                      std::string(directory.status().message()),
                      "set HEAPLEDGER_DIR to a directory of your own"});
    return;
  }
  const auto environment = ShimEnvironment({}, *directory);
  if (environment.ok()) {
    checks.push_back(Outcome(RunProbe(*environment), directory->path()));
  }
  directory->Remove();
}

}  // namespace heapledger::collector::cli
