// SPDX-License-Identifier: Apache-2.0
// Memory by process_vm_readv: nothing is stopped, nothing is written, and the
// process does not notice.
#pragma once

#include "collector/python/memory.h"

namespace heapledger::collector::python {

class ProcessMemory final : public Memory {
 public:
  explicit ProcessMemory(std::uint32_t pid) : pid_(pid) {}

  [[nodiscard]] absl::Status Read(std::uint64_t address,
                                  std::span<std::byte> to) const override;

 private:
  std::uint32_t pid_;
};

}  // namespace heapledger::collector::python
