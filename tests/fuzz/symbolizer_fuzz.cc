// SPDX-License-Identifier: Apache-2.0
// Any bytes as a module: every lookup comes back with a named frame. The last
// eight bytes are an address to ask for, besides some that are always asked.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "symbolizer/symbolizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace heapledger::symbolizer;  // NOLINT
  std::uint64_t asked = 0;
  if (size >= sizeof asked) {
    std::memcpy(&asked, data + size - sizeof asked, sizeof asked);
  }
  const int descriptor = memfd_create("module", MFD_CLOEXEC);
  if (descriptor < 0 ||
      write(descriptor, data, size) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  ModuleRef module;
  module.path = "/proc/self/fd/" + std::to_string(descriptor);
  std::vector<Pc> pcs = {{asked, PcKind::kExact}};
  for (std::uint64_t address = 0; address < 0x4000; address += 0x40) {
    pcs.push_back({address, PcKind::kExact});
    pcs.push_back({0x400000 + address, PcKind::kExact});
  }
  Symbolizer symbolizer(Options{.debug_directories = {}});
  for (const auto& frames : symbolizer.ResolveAll(module, pcs)) {
    if (frames.empty()) std::abort();
    for (const Frame& frame : frames) {
      if (frame.function.empty()) std::abort();
    }
  }
  close(descriptor);
  return 0;
}
