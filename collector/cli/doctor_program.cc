// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/doctor_program.h"

#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {
namespace {

void Add(Checks& checks, bool bad, const char* text, const char* remedy) {
  if (bad) checks.push_back({"program", Verdict::kBad, text, remedy});
}

void Note(Checks& checks, bool holds, const char* text, const char* remedy) {
  if (holds) checks.push_back({"program", Verdict::kNote, text, remedy});
}

}  // namespace

void CheckElf(const ElfFacts& facts, Checks& checks) {
  const std::size_t before = checks.size();
  Add(checks, !facts.is_64_bit || !facts.is_x86_64,
      "it is not built for x86-64", "measure an x86-64 build");
  Add(checks, facts.is_static && facts.is_go,
      "it is a static Go program: nothing can be preloaded into it, and its "
      "heap is Go's own",
      "use Go's runtime/pprof");
  Add(checks, facts.is_static && !facts.is_go,
      "it is linked statically: nothing can be "
      "preloaded into it",
      "link it dynamically");
  Add(checks, facts.is_musl, "it uses musl, the shim is for glibc",
      "measure a glibc build");
  Add(checks, facts.is_privileged,
      "it gains privileges (set-uid, set-gid or capabilities), where the "
      "loader ignores LD_PRELOAD",
      "run an unprivileged copy");
  Add(checks, !facts.sanitizer.empty(),
      "it carries a sanitizer's runtime with its own malloc",
      "measure a build without -fsanitize");
  Add(checks, facts.defines_malloc && facts.sanitizer.empty(),
      "it defines malloc itself, so the shim's is never called",
      "link that allocator as a shared library");
  if (checks.size() == before) {
    checks.push_back({"program", Verdict::kGood,
                      absl::StrCat(facts.path, " can be measured"), ""});
  }
  Note(checks, facts.is_go && !facts.is_static,
       "it is a Go program: what C allocates is measured, Go's own heap is not",
       "use Go's runtime/pprof for that");
  Note(checks, facts.has_private_jemalloc,
       "it carries a jemalloc that only its own code calls (as Rust programs "
       "do): what that gives out is not measured",
       "measure a build with the system's allocator");
  if (!facts.has_debug_info) {
    checks.push_back({"symbols", Verdict::kNote,
                      "it has no debug information of its own: lines are known "
                      "only where a separate debug file is installed",
                      "build with -g, or install its debug package"});
  }
}

void CheckCommand(const std::string& command, Checks& checks) {
  auto path = FindProgram(command);
  // A script is as measurable as its interpreter; those may be scripts again.
  for (int depth = 0; path.ok() && depth < 4; ++depth) {
    const auto facts = ReadElfFacts(*path);
    if (!facts.ok()) {
      path = facts.status();
    } else if (facts->is_elf) {
      CheckElf(*facts, checks);
      return;
    } else if (facts->script_interpreter.empty()) {
      checks.push_back({"program", Verdict::kBad,
                        absl::StrCat(*path, " is neither ELF nor a script"),
                        "name the program that runs it"});
      return;
    } else {
      checks.push_back(
          {"program", Verdict::kNote,
           absl::StrCat(*path, " is a script for ", facts->script_interpreter),
           ""});
      path = FindProgram(facts->script_interpreter);
    }
  }
  checks.push_back({"program", Verdict::kBad,
                    path.ok() ? "its interpreters form a chain without end"
                              : std::string(path.status().message()),
                    "check the name"});
}

}  // namespace heapledger::collector::cli
