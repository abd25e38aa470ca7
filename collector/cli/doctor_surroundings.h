// SPDX-License-Identifier: Apache-2.0
// What `doctor` says of the surroundings of every program that is started from
// here: other preloads, system calls that are refused, who may attach.
#pragma once

#include <string>

#include "collector/cli/doctor_check.h"

namespace heapledger::collector::cli {

// Where these things stand; other places in tests.
struct Surroundings {
  std::string proc_root = "/proc";
  std::string preload_file = "/etc/ld.so.preload";
  std::string preload_variable;  // LD_PRELOAD
};

// Libraries that are preloaded beside the shim.
void CheckPreloads(const Surroundings& surroundings, Checks& checks);

// A seccomp filter that everything here inherits.
void CheckSeccomp(const Surroundings& surroundings, Checks& checks);

// Yama's ptrace_scope.
void CheckPtrace(const Surroundings& surroundings, Checks& checks);

}  // namespace heapledger::collector::cli
