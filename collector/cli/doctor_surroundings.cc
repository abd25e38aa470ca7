// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/doctor_surroundings.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/cli/elf_facts.h"

namespace heapledger::collector::cli {
namespace {

constexpr char kShimName[] = "libheapledger.so";

// Empty where there is no such file.
std::string Content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The loader takes colons and spaces; its file, line ends as well.
std::vector<std::string> Libraries(const std::string& list) {
  return absl::StrSplit(list, absl::ByAnyChar(": \t\n"), absl::SkipEmpty());
}

void CheckPreload(const std::string& library, const std::string& where,
                  Checks& checks) {
  if (absl::EndsWith(library, kShimName)) {
    checks.push_back(
        {"other preload", Verdict::kGood,
         absl::StrCat(where, " has the shim: every program here is measured"),
         ""});
    return;
  }
  // A name without a slash is searched for by the loader alone.
  const auto facts = ReadElfFacts(library);
  if (absl::StrContains(library, "/") && !facts.ok()) {
    checks.push_back({"other preload", Verdict::kNote,
                      absl::StrCat(where, " names ", library,
                                   ", which cannot be loaded, and every "
                                   "program says so on stderr"),
                      absl::StrCat("take it out of ", where)});
  } else if (facts.ok() && !facts->sanitizer.empty()) {
    checks.push_back({"other preload", Verdict::kBad,
                      absl::StrCat(where, " preloads a sanitizer's runtime (",
                                   library, "), where the shim does nothing"),
                      absl::StrCat("take it out of ", where)});
  } else {
    checks.push_back(
        {"other preload", Verdict::kNote,
         absl::StrCat(where, " preloads ", library, " into every program",
                      facts.ok() && facts->defines_malloc
                          ? ", which has a malloc of its own"
                          : ""),
         "keep the shim before it, as heapledger run does: one that stands "
         "first and passes nothing on leaves nothing to measure"});
  }
}

}  // namespace

void CheckPreloads(const Surroundings& surroundings, Checks& checks) {
  for (const std::string& library : Libraries(surroundings.preload_variable)) {
    CheckPreload(library, "LD_PRELOAD", checks);
  }
  for (const std::string& library :
       Libraries(Content(surroundings.preload_file))) {
    CheckPreload(library, surroundings.preload_file, checks);
  }
}

void CheckSeccomp(const Surroundings& surroundings, Checks& checks) {
  for (absl::string_view line :
       absl::StrSplit(Content(surroundings.proc_root + "/self/status"), '\n')) {
    if (!absl::ConsumePrefix(&line, "Seccomp:") ||
        absl::StripAsciiWhitespace(line) == "0") {
      continue;
    }
    checks.push_back({"seccomp", Verdict::kNote,
                      "a filter of system calls is in force from the start; "
                      "the probe shows whether the shim can live with it",
                      "should the probe fail, allow openat, mkdirat, "
                      "ftruncate, mmap and madvise"});
  }
}

void CheckPtrace(const Surroundings& surroundings, Checks& checks) {
  int scope = 0;
  if (!absl::SimpleAtoi(
          Content(surroundings.proc_root + "/sys/kernel/yama/ptrace_scope"),
          &scope) ||
      scope == 0) {
    return;
  }
  checks.push_back({"ptrace scope", Verdict::kNote,
                    absl::StrCat("it is ", scope,
                                 ", so debuggers may not attach to running "
                                 "programs; counts, scans and the gate need "
                                 "no ptrace"),
                    "for gdb and strace: sysctl kernel.yama.ptrace_scope=0"});
}

}  // namespace heapledger::collector::cli
