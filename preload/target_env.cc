// SPDX-License-Identifier: Apache-2.0
#include "preload/target_env.h"

#include <elf.h>

#include "heapledger/ledger/name.h"
#include "preload/loaded_object.h"
#include "preload/python_host.h"
#include "preload/raw_io.h"
#include "preload/runtime/helper.h"
#include "preload/unwind/load_segment.h"

namespace heapledger::preload {
namespace {

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

// Looks through the note segments of a mapped object.
void FindBuildId(const LoadedObject& object, ledger::ModuleRecord* record) {
  unwind::ForEachProgramHeader(
      object.header, [&](const unwind::ProgramHeader& row) {
        if (row.type != unwind::ProgramHeader::kNote) return true;
        const unwind::ByteRange segment = object.SegmentAround(row.address);
        if (!segment.Contains(row.address, row.bytes)) return true;
        CopyBuildId(unwind::ByteReader({row.address, row.address + row.bytes}),
                    record);
        return record->build_id_bytes == 0;
      });
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
  LoadedObject object;
  if (!FindLoadedObject(pc, &object)) return false;
  range->start = object.start;
  range->end = object.end;
  range->identity = reinterpret_cast<std::uint64_t>(object.map);
  return true;
}

std::uint64_t TargetEnv::NowNs() const {
  return raw::HasClock() ? raw::MonotonicNs() : 0;
}

void TargetEnv::DescribeModule(std::uint64_t pc, ledger::ModuleRecord* record) {
  LoadedObject object;
  if (!FindLoadedObject(pc, &object)) return;
  record->load_bias = object.map->l_addr;
  record->loaded_monotonic_ns = raw::MonotonicNs();
  NoticePython(object);
  FindBuildId(object, record);
  const char* const name = object.map->l_name;
  if (name != nullptr && name[0] != '\0') {
    CopyPath(name, record);
    NoticeRuntime(name,
                  reinterpret_cast<ledger::Header*>(ledger_base_)->control);
    return;
  }
  // The executable itself has no name on the loader's list. Not asked for here:
  // by now the program may have shut itself in.
  CopyPath(reinterpret_cast<const ledger::Header*>(ledger_base_)->exe, record);
}

bool TargetEnv::FindSection(std::uint64_t pc, unwind::EhFrameSection* section) {
  LoadedObject object;
  if (!FindLoadedObject(pc, &object) || object.eh_frame_hdr == 0) return false;
  section->eh_frame_hdr = object.eh_frame_hdr;
  section->readable = object.SegmentAround(object.eh_frame_hdr);
  return section->readable.size() > 0;
}

}  // namespace heapledger::preload
