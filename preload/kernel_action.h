// SPDX-License-Identifier: Apache-2.0
// A signal's action as the kernel has it, not libc: set by a raw system call,
// with a handler that returns to a trampoline of our own.
#pragma once

#include <cstdint>

extern "C" __attribute__((visibility("hidden"))) void heapledger_sigreturn();

namespace heapledger::preload {

struct KernelAction {
  std::uint64_t handler = 0;
  std::uint64_t flags = 0;
  std::uint64_t restorer = 0;
  std::uint64_t mask = 0;

  // Every other signal waits while the handler runs.
  static KernelAction Of(void* handler, std::uint64_t flags) {
    constexpr std::uint64_t kRestorerFlag = 0x04000000;  // SA_RESTORER
    return {reinterpret_cast<std::uint64_t>(handler), flags | kRestorerFlag,
            reinterpret_cast<std::uint64_t>(&heapledger_sigreturn),
            ~std::uint64_t{0}};
  }
};

}  // namespace heapledger::preload
