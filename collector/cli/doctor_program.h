// SPDX-License-Identifier: Apache-2.0
// What `doctor` says of a program, by its file.
#pragma once

#include <string>

#include "collector/cli/doctor_check.h"
#include "collector/cli/elf_facts.h"

namespace heapledger::collector::cli {

void CheckElf(const ElfFacts& facts, Checks& checks);

// `command` as a shell would find it, through scripts to what runs them.
void CheckCommand(const std::string& command, Checks& checks);

}  // namespace heapledger::collector::cli
