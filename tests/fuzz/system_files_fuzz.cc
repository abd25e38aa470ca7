// SPDX-License-Identifier: Apache-2.0
// Files of /proc and /sys as nobody's kernel writes them: no text may break a
// parser, no path of a cgroup leave what is mounted, and the parts of resident
// memory add up to it whatever they are taken from.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/system/cgroup_paths.h"
#include "collector/system/host_memory.h"
#include "collector/system/numbers.h"
#include "collector/system/pressure.h"
#include "collector/system/process_memory.h"
#include "collector/system/resident_parts.h"
#include "collector/system/smaps.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  namespace system = heapledger::collector;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)system::ParseMeminfo(text);
  (void)system::ParseVmstat(text);
  (void)system::ParsePressure(text);
  (void)system::ParseStat(text);
  (void)system::ParseAddressSpaceLimit(text);
  (void)system::ParseSmapsRollup(text);

  const auto place =
      system::LocateCgroup(system::ParseCgroupMounts(text),
                           system::ParseCgroupMembership(text), "/root");
  if (place) {
    if (place->chain.empty() || place->chain.size() > 64) __builtin_trap();
    for (const std::string& directory : place->chain) {
      if (!directory.starts_with("/root")) __builtin_trap();
    }
  }

  system::SmapsReader reader("1-2.ledger");
  std::string_view rest = text;
  while (!rest.empty()) reader.Line(system::NextPart(rest, '\n'));
  if (const auto memory = system::ParseStatus(text)) {
    const system::MappedAreas& areas = reader.Finish().areas;
    for (const bool glibc_malloc : {false, true}) {
      const auto parts =
          system::SplitResident(*memory, areas,
                                {.live_bytes = areas.rest,
                                 .overhead_bytes = areas.heap,
                                 .mapped_live_bytes = areas.stacks,
                                 .glibc_malloc = glibc_malloc});
      if (parts.sum() != memory->resident()) __builtin_trap();
    }
  }
  return 0;
}
