// SPDX-License-Identifier: Apache-2.0
// CIE and FDE records of .eh_frame, and the search for the FDE of a pc. The
// bytes belong to the target and are not trusted: every read is checked against
// the section's readable range, every loop is bounded.
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"
#include "preload/unwind/eh_frame_hdr.h"
#include "preload/unwind/registers.h"

namespace heapledger::preload::unwind {

struct Cie {
  bool valid = false;
  bool is_signal_frame = false;  // augmentation 'S'
  bool has_augmentation_data = false;
  std::uint8_t pointer_encoding = 0;
  std::uint64_t code_align = 1;
  std::int64_t data_align = 1;
  ByteRange instructions;
};

struct Fde {
  bool valid = false;
  Cie cie;
  std::uint64_t pc_start = 0;
  std::uint64_t pc_end = 0;
  ByteRange instructions;

  [[nodiscard]] bool Covers(std::uint64_t pc) const {
    return valid && pc >= pc_start && pc < pc_end;
  }
};

namespace internal {

// What CIEs and FDEs begin with.
struct RecordHead {
  bool valid = false;
  bool terminator = false;     // a length of zero ends the section
  std::uint64_t id_field = 0;  // address of the CIE id or CIE pointer
  std::uint32_t id = 0;        // 0: a CIE; else distance back to the CIE
  ByteRange body;              // after the id field
};

inline RecordHead ReadRecordHead(ByteRange readable, std::uint64_t address) {
  RecordHead head;
  ByteReader reader(readable, address);
  std::uint64_t length = reader.Read<std::uint32_t>();
  if (!reader.ok()) return head;
  if (length == 0) {
    head.valid = head.terminator = true;
    return head;
  }
  if (length == 0xffffffffU) length = reader.Read<std::uint64_t>();
  head.id_field = reader.position();
  head.id = reader.Read<std::uint32_t>();
  if (!reader.ok() || length < sizeof head.id) return head;
  head.body = reader.Take(length - sizeof head.id);
  head.valid = reader.ok();
  return head;
}

// Reads what the letters of the augmentation string announce.
inline void ReadAugmentation(ByteReader* reader, ByteReader letters, Cie* cie) {
  if (letters.AtEnd()) return;  // "": nothing announced
  if (letters.Read<std::uint8_t>() != 'z') {
    reader->Fail();  // "eh" and the like: no length to skip by
    return;
  }
  cie->has_augmentation_data = true;
  ByteReader data(reader->Take(reader->ReadUnsignedLeb()));
  while (!letters.AtEnd()) {
    switch (letters.Read<std::uint8_t>()) {
      case 'R':
        cie->pointer_encoding = data.Read<std::uint8_t>();
        break;
      case 'S':
        cie->is_signal_frame = true;
        break;
      case 'P': {  // personality: stepped over, so never followed
        const auto encoding = data.Read<std::uint8_t>();
        (void)data.ReadFormat(encoding & kEncodingFormatMask);
        break;
      }
      case 'L':
        (void)data.Read<std::uint8_t>();
        break;
      default:
        reader->Fail();
        return;
    }
  }
  if (!data.ok()) reader->Fail();
}

}  // namespace internal

inline Cie ParseCie(ByteRange readable, std::uint64_t address) {
  Cie cie;
  const internal::RecordHead head = internal::ReadRecordHead(readable, address);
  if (!head.valid || head.terminator || head.id != 0) return cie;
  ByteReader reader(head.body);
  const auto version = reader.Read<std::uint8_t>();
  if (version != 1 && version != 3) return cie;
  const std::uint64_t letters_start = reader.position();
  std::uint64_t letters_end = letters_start;
  while (reader.Read<std::uint8_t>() != 0) letters_end = reader.position();
  cie.code_align = reader.ReadUnsignedLeb();
  cie.data_align = reader.ReadSignedLeb();
  const std::uint64_t return_address_register =
      version == 1 ? reader.Read<std::uint8_t>() : reader.ReadUnsignedLeb();
  if (!reader.ok() || return_address_register != kDwarfReturnAddress) {
    return cie;
  }
  internal::ReadAugmentation(
      &reader, ByteReader(ByteRange{letters_start, letters_end}), &cie);
  cie.instructions = {reader.position(), head.body.end};
  cie.valid = reader.ok();
  return cie;
}

inline Fde ParseFde(ByteRange readable, std::uint64_t address) {
  Fde fde;
  const internal::RecordHead head = internal::ReadRecordHead(readable, address);
  if (!head.valid || head.terminator || head.id == 0) return fde;
  fde.cie = ParseCie(readable, head.id_field - head.id);
  if (!fde.cie.valid) return fde;
  ByteReader reader(head.body);
  const std::uint8_t encoding = fde.cie.pointer_encoding;
  fde.pc_start = reader.ReadEncoded(encoding, 0);
  fde.pc_end = fde.pc_start + reader.ReadFormat(encoding & kEncodingFormatMask);
  if (fde.cie.has_augmentation_data) reader.Skip(reader.ReadUnsignedLeb());
  fde.instructions = {reader.position(), head.body.end};
  fde.valid = reader.ok() && fde.pc_end > fde.pc_start;
  return fde;
}

// Records that a search without a table looks at before it gives up.
inline constexpr std::uint32_t kMaxScannedRecords = 1U << 18;

// Reads .eh_frame from its start. Damaged FDEs are stepped over; a damaged
// length ends the scan.
inline Fde ScanForFde(ByteRange readable, std::uint64_t eh_frame,
                      std::uint64_t pc) {
  std::uint64_t address = eh_frame;
  for (std::uint32_t i = 0; i < kMaxScannedRecords; ++i) {
    const internal::RecordHead head =
        internal::ReadRecordHead(readable, address);
    if (!head.valid || head.terminator) break;
    if (head.id != 0) {
      const Fde fde = ParseFde(readable, address);
      if (fde.Covers(pc)) return fde;
    }
    address = head.body.end;
  }
  return {};
}

// Returns the FDE that covers pc, or one that is not valid.
inline Fde FindFde(const EhFrameSection& section, std::uint64_t pc) {
  const EhFrameHdr hdr = ParseEhFrameHdr(section);
  if (!hdr.valid) return {};
  if (hdr.table == 0) return ScanForFde(section.readable, hdr.eh_frame, pc);
  const std::uint64_t address = SearchTable(section, hdr, pc);
  if (address == 0) return {};
  const Fde fde = ParseFde(section.readable, address);
  return fde.Covers(pc) ? fde : Fde{};
}

}  // namespace heapledger::preload::unwind
