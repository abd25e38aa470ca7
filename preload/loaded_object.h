// SPDX-License-Identifier: Apache-2.0
// The loaded ELF object that holds an address, from glibc's lock-free
// _dl_find_object and the object's own program headers.
//
// What _dl_find_object calls the object's mapping is only one load segment
// where the object has gaps between them (executables with huge page
// alignment, such as Debian's node), so the extent is read from the headers.
#pragma once

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstdint>

#include "preload/unwind/byte_reader.h"
#include "preload/unwind/load_segment.h"

// See LibcIsKnown().
#pragma weak _dl_find_object

namespace heapledger::preload {

struct LoadedObject {
  const link_map* map = nullptr;
  std::uint64_t header = 0;        // address of the page with the ELF header
  std::uint64_t start = 0;         // of the first load segment's page
  std::uint64_t end = 0;           // of the last load segment
  std::uint64_t eh_frame_hdr = 0;  // 0 where there is none

  // The load segment around an address of the object, readable; else empty.
  unwind::ByteRange SegmentAround(std::uint64_t address) const {
    return unwind::FindLoadSegment({header, end}, address);
  }
};

namespace internal {

inline std::uint64_t AddressOf(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

// Where the object's ELF header is mapped: at its load bias, as load segments
// begin at address 0; the executable, which may be linked to fixed addresses,
// has its program headers right behind it.
inline std::uint64_t HeaderPage(const dl_find_object& found) {
  constexpr std::uint64_t kPageMask = ~std::uint64_t{4095};
  const link_map* const map = found.dlfo_link_map;
  if (map->l_name == nullptr || map->l_name[0] == '\0') {
    if (const std::uint64_t headers = getauxval(AT_PHDR)) {
      return headers & kPageMask;
    }
  }
  dl_find_object at_bias{};
  if (_dl_find_object(reinterpret_cast<void*>(map->l_addr), &at_bias) == 0 &&
      at_bias.dlfo_link_map == map) {
    return map->l_addr;
  }
  return AddressOf(found.dlfo_map_start);
}

}  // namespace internal

// False where no object holds the address. Lock-free, allocates nothing.
inline bool FindLoadedObject(std::uint64_t address, LoadedObject* object) {
  dl_find_object found{};
  if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0) {
    return false;
  }
  object->map = found.dlfo_link_map;
  object->eh_frame_hdr = internal::AddressOf(found.dlfo_eh_frame);
  object->header = internal::HeaderPage(found);
  const unwind::ByteRange extent = unwind::FindLoadExtent(object->header);
  const bool known = extent.Contains(address, 1);
  object->start =
      known ? extent.start : internal::AddressOf(found.dlfo_map_start);
  object->end = known ? extent.end : internal::AddressOf(found.dlfo_map_end);
  return true;
}

}  // namespace heapledger::preload
