// SPDX-License-Identifier: Apache-2.0
#include "collector/python/process_memory.h"

#include <sys/uio.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace heapledger::collector::python {

absl::Status ProcessMemory::Read(std::uint64_t address,
                                 std::span<std::byte> to) const {
  const iovec local = {to.data(), to.size()};
  // An address of theirs: the kernel checks it.
  const iovec remote = {reinterpret_cast<void*>(address), to.size()};
  const ssize_t got =
      ::process_vm_readv(static_cast<pid_t>(pid_), &local, 1, &remote, 1, 0);
  if (got >= 0 && static_cast<std::size_t>(got) == to.size()) {
    return absl::OkStatus();
  }
  const std::string doing = absl::StrCat("read memory of pid ", pid_, ": ");
  if (got >= 0 || errno == EFAULT) {
    return absl::OutOfRangeError(doing + "nothing is mapped there");
  }
  if (errno == EPERM || errno == ENOSYS) {
    return absl::PermissionDeniedError(
        doing +
        "the kernel refuses; run the collector as the program's user, or with "
        "CAP_SYS_PTRACE");
  }
  return absl::NotFoundError(doing + "the process is gone");
}

}  // namespace heapledger::collector::python
