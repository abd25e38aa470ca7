// SPDX-License-Identifier: Apache-2.0
// What the gate knows of one callsite after one round: the blocks that it left
// behind in all processes of the round, by name and stack, and no address.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collector/ledger/fingerprint.h"
#include "collector/ledger/naming.h"

namespace heapledger::collector::gate {

struct Amount {
  std::uint64_t bytes = 0;
  std::uint64_t objects = 0;

  Amount& operator+=(const Amount& other) {
    bytes += other.bytes;
    objects += other.objects;
    return *this;
  }
  friend Amount operator+(Amount a, const Amount& b) { return a += b; }
  friend bool operator==(const Amount&, const Amount&) = default;
};

// One function of a stack; those inlined have their own.
struct StackFunction {
  std::string function;  // never empty: "module+0x…" where there is no name
  std::string file;      // empty where unknown
  std::uint32_t line = 0;
  std::string module;       // last part of the path
  std::string module_path;  // empty outside modules
};

struct Finding {
  Fingerprint callsite;
  CallsiteName name;
  std::vector<StackFunction> stack;  // innermost first
  Amount direct;                     // no pointer to them anywhere
  Amount indirect;                   // pointers from leaked blocks alone
  Amount live;                       // at the end, these and the reachable ones
  std::vector<std::string> processes;  // "name (pid 12)", each once

  [[nodiscard]] Amount unreachable() const { return direct + indirect; }
};

}  // namespace heapledger::collector::gate
