// SPDX-License-Identifier: Apache-2.0
// What a program's file says about whether it can be measured.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace heapledger::collector::cli {

struct ElfFacts {
  std::string path;
  bool is_elf = false;
  std::string script_interpreter;  // of "#!…"
  bool is_64_bit = false;
  bool is_x86_64 = false;
  bool is_static = false;  // no program interpreter
  bool is_musl = false;
  bool is_privileged = false;  // set-uid, set-gid, file capabilities
  std::string sanitizer;       // the library or symbol that shows it
  bool defines_malloc = false;
  bool is_go = false;  // built by the Go toolchain
  // Functions of the jemalloc that Rust programs link privately.
  bool has_private_jemalloc = false;
  bool has_frame_tables = false;  // .eh_frame
  bool has_debug_info = false;
};

// `program` as a shell would find it.
absl::StatusOr<std::string> FindProgram(const std::string& program);

absl::StatusOr<ElfFacts> ReadElfFacts(const std::string& path);

}  // namespace heapledger::collector::cli
