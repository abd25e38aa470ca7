// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/process_facts.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

// A line of /proc/PID/status and the fact that it becomes.
constexpr std::pair<const char*, const char*> kStatusLines[] = {
    {"VmRSS:", "resident_bytes"},
    {"VmHWM:", "resident_peak_bytes"},
    {"RssAnon:", "resident_anonymous_bytes"},
    {"RssFile:", "resident_file_bytes"},
    {"RssShmem:", "resident_shared_bytes"},
    {"VmSwap:", "swapped_bytes"},
};

void AddResident(const std::string& process, Json& facts) {
  std::ifstream status(process + "/status");
  std::string name;
  std::string rest;
  while (status >> name && std::getline(status, rest)) {
    for (const auto& [line, fact] : kStatusLines) {
      if (name != line) continue;
      const std::size_t digit = rest.find_first_of("0123456789");
      const std::size_t end = rest.find_first_not_of("0123456789", digit);
      std::uint64_t kib = 0;
      if (digit != std::string::npos &&
          absl::SimpleAtoi(rest.substr(digit, end - digit), &kib)) {
        facts[fact] = kib * 1024;
      }
    }
  }
}

std::optional<std::string> FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

// The group of cgroup v2: the line "0::/PATH".
void AddCgroup(const std::string& process, const std::string& cgroup_root,
               Json& facts) {
  std::ifstream groups(process + "/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    if (!line.starts_with("0::/")) continue;
    const std::string group = cgroup_root + line.substr(3);
    for (const auto& [file, fact] :
         {std::pair("/memory.max", "cgroup_limit_bytes"),
          std::pair("/memory.current", "cgroup_used_bytes")}) {
      std::uint64_t bytes = 0;
      const auto text = FirstLine(group + file);
      if (!text) continue;
      if (absl::SimpleAtoi(*text, &bytes)) {
        facts[fact] = bytes;
      } else if (*text == "max") {
        facts[fact] = "none";
      }
    }
  }
}

}  // namespace

Json SystemFacts(const LedgerSnapshot& snapshot, const std::string& proc_root,
                 const std::string& cgroup_root) {
  Json facts;
  utsname system = {};
  uname(&system);
  facts["kernel"] =
      absl::StrCat(system.sysname, " ", system.release, " ", system.machine);
  facts["page_bytes"] = sysconf(_SC_PAGESIZE);
  if (snapshot.state != ProcessState::kLive &&
      snapshot.state != ProcessState::kStarting) {
    return facts;
  }
  const std::string process =
      absl::StrCat(proc_root, "/", snapshot.identity.pid);
  AddResident(process, facts);
  AddCgroup(process, cgroup_root, facts);
  return facts;
}

}  // namespace heapledger::collector::cli
