// SPDX-License-Identifier: Apache-2.0
#include "preload/target_env.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include "heapledger/ledger/name.h"
#include "preload/raw_io.h"
#include "preload/unwind/load_segment.h"

namespace heapledger::preload {
namespace {

bool FindObject(std::uint64_t pc, dl_find_object* found) {
  return _dl_find_object(reinterpret_cast<void*>(pc), found) == 0;
}

std::uint64_t Address(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

unwind::ByteRange MappedRange(const dl_find_object& object) {
  return {Address(object.dlfo_map_start), Address(object.dlfo_map_end)};
}

// Copies the GNU build id out of one note segment.
void CopyBuildId(unwind::ByteReader notes, ledger::ModuleRecord* record) {
  while (notes.ok()) {
    const auto name_bytes = notes.Read<std::uint32_t>();
    const auto desc_bytes = notes.Read<std::uint32_t>();
    const auto type = notes.Read<std::uint32_t>();
    const auto name = notes.Read<std::uint32_t>();
    constexpr std::uint32_t kGnu = 0x00554e47;  // "GNU\0"
    if (!notes.ok()) return;
    if (name_bytes == 4 && name == kGnu && type == NT_GNU_BUILD_ID &&
        desc_bytes > 0 && desc_bytes <= ledger::kBuildIdBytes) {
      for (std::uint32_t i = 0; i < desc_bytes; ++i) {
        record->build_id[i] = notes.Read<std::uint8_t>();
      }
      record->build_id_bytes = notes.ok() ? desc_bytes : 0;
      return;
    }
    // Names and descriptors are padded to 4 bytes; the name's first four are
    // read already.
    const std::uint64_t name_rest =
        name_bytes > 4 ? (std::uint64_t{name_bytes} + 3) / 4 * 4 - 4 : 0;
    notes.Skip(name_rest + (std::uint64_t{desc_bytes} + 3) / 4 * 4);
  }
}

// Walks the program headers of a mapped object for its note segments.
void FindBuildId(unwind::ByteRange module, std::uint64_t bias,
                 ledger::ModuleRecord* record) {
  const unwind::ByteRange first = unwind::FindLoadSegment(module, module.start);
  unwind::ByteReader header(first, module.start);
  header.Skip(16 + 2 + 2 + 4 + 8);
  const auto table = header.Read<std::uint64_t>();
  header.Skip(8 + 4 + 2 + 2);
  const auto entries = header.Read<std::uint16_t>();
  if (!header.ok()) return;
  unwind::ByteReader rows(first, module.start + table);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const auto type = rows.Read<std::uint32_t>();
    rows.Skip(4 + 8);
    const auto address = rows.Read<std::uint64_t>() + bias;
    rows.Skip(8 + 8);
    const auto bytes = rows.Read<std::uint64_t>();
    rows.Skip(8);
    if (!rows.ok()) return;
    if (type != PT_NOTE) continue;
    const unwind::ByteRange segment = unwind::FindLoadSegment(module, address);
    if (!segment.Contains(address, bytes)) continue;
    CopyBuildId(unwind::ByteReader({address, address + bytes}), record);
    if (record->build_id_bytes != 0) return;
  }
}

void CopyPath(const char* path, ledger::ModuleRecord* record) {
  ledger::NameBuilder name(record->path, sizeof record->path);
  name.Text(path);
  record->path_bytes = static_cast<std::uint32_t>(name.size());
  record->path_truncated = name.overflowed() ? 1 : 0;
}

}  // namespace

bool TargetEnv::Open() {
  auto* const entries = static_cast<unwind::RuleCache::Entry*>(
      MapPrivate(kRuleEntries * sizeof(unwind::RuleCache::Entry)));
  auto* const slots = static_cast<unwind::RuleDictionary::Slot*>(
      MapPrivate(kDictionarySlots * sizeof(unwind::RuleDictionary::Slot)));
  if (entries == nullptr || slots == nullptr) return false;
  rule_cache_.Attach(entries, kRuleEntries, slots, kDictionarySlots);
  return true;
}

void* TargetEnv::MapPrivate(std::size_t bytes) {
  return raw::MapPrivate(bytes);
}
void TargetEnv::Unmap(void* at, std::size_t bytes) { raw::Unmap(at, bytes); }
void TargetEnv::Discard(void* at, std::size_t bytes) {
  raw::Discard(at, bytes);
}

bool TargetEnv::Populate(std::uint32_t page, std::uint32_t pages) {
  return raw::Populate(ledger_base_ + std::size_t{page} * ledger::kPageBytes,
                       std::size_t{pages} * ledger::kPageBytes);
}

bool TargetEnv::FindModule(std::uint64_t pc, ModuleRange* range) {
  dl_find_object found{};
  if (!FindObject(pc, &found)) return false;
  range->start = Address(found.dlfo_map_start);
  range->end = Address(found.dlfo_map_end);
  range->identity = Address(found.dlfo_link_map);
  return true;
}

void TargetEnv::DescribeModule(const ModuleRange& range,
                               ledger::ModuleRecord* record) {
  dl_find_object found{};
  if (!FindObject(range.start, &found)) return;
  const link_map* const map = found.dlfo_link_map;
  record->load_bias = map->l_addr;
  record->loaded_monotonic_ns = raw::MonotonicNs();
  FindBuildId(MappedRange(found), map->l_addr, record);
  if (map->l_name != nullptr && map->l_name[0] != '\0') {
    CopyPath(map->l_name, record);
    return;
  }
  // The executable itself has no name on the loader's list.
  const long got =
      raw::ReadLink("/proc/self/exe", record->path, sizeof record->path);
  record->path_bytes = got > 0 ? static_cast<std::uint32_t>(got) : 0;
}

bool TargetEnv::FindSection(std::uint64_t pc, unwind::EhFrameSection* section) {
  dl_find_object found{};
  if (!FindObject(pc, &found) || found.dlfo_eh_frame == nullptr) return false;
  section->eh_frame_hdr = Address(found.dlfo_eh_frame);
  section->readable =
      unwind::FindLoadSegment(MappedRange(found), section->eh_frame_hdr);
  return section->readable.size() > 0;
}

}  // namespace heapledger::preload
