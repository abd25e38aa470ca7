// SPDX-License-Identifier: Apache-2.0
// Memory of another process, to be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heapledger::collector::python {

class Memory {
 public:
  virtual ~Memory() = default;

  // Fills `to` from `address` on. PermissionDenied where the kernel does not
  // let us, NotFound where the process is gone, OutOfRange where nothing is
  // mapped there.
  [[nodiscard]] virtual absl::Status Read(std::uint64_t address,
                                          std::span<std::byte> to) const = 0;

  template <typename Number>
  [[nodiscard]] absl::StatusOr<Number> Load(std::uint64_t address) const {
    std::byte bytes[sizeof(Number)];
    if (absl::Status ok = Read(address, bytes); !ok.ok()) return ok;
    Number number;
    std::memcpy(&number, bytes, sizeof number);
    return number;
  }
};

}  // namespace heapledger::collector::python
