// SPDX-License-Identifier: Apache-2.0
// The state machine of call frame instructions (DWARF 5, 6.4.2, and the GNU
// extensions): runs a CIE's and an FDE's program up to one pc and leaves the
// row that holds there, for the few registers that a walk needs.
//
// The program is not trusted: its bytes are read through a ByteReader, steps
// and remembered states are bounded, an unknown instruction makes the row
// unusable.
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"
#include "preload/unwind/registers.h"

namespace heapledger::preload::unwind {

// How a row says that a register of the caller is found.
struct RegisterRule {
  enum class Kind : std::uint8_t {
    kUnset,  // nothing said: a callee-saved register is unchanged
    kSame,
    kUndefined,
    kAtCfa,         // *(CFA + offset)
    kCfaPlus,       // CFA + offset
    kAtExpression,  // *(expression)
    kOther,         // another register, a value expression
  };
  Kind kind = Kind::kUnset;
  std::int64_t offset = 0;
  ByteRange expression;
};

struct CfaRow {
  bool cfa_is_expression = false;
  std::uint8_t cfa_register = kNoRegister;
  std::int64_t cfa_offset = 0;
  ByteRange cfa_expression;
  RegisterRule return_address;
  RegisterRule rsp;
  RegisterRule rbp;
  RegisterRule extra;  // of the register that the caller asked for, if any
};

class CfaProgram {
 public:
  struct Factors {
    std::uint64_t code_align = 1;
    std::int64_t data_align = -8;
    std::uint8_t pointer_encoding = 0;
  };

  // `extra_register` is one more register to follow, or kNoRegister.
  CfaProgram(const Factors& factors, std::uint8_t extra_register)
      : factors_(factors), extra_register_(extra_register) {}

  // Runs a CIE's instructions; what they leave is what restore goes back to.
  [[nodiscard]] bool RunInitial(ByteRange instructions) {
    if (!Run(instructions, 0, 0)) return false;
    initial_ = row_;
    return true;
  }

  // Runs an FDE's instructions for code that begins at `location`, through the
  // last row that begins at or before `pc`.
  [[nodiscard]] bool RunTo(ByteRange instructions, std::uint64_t location,
                           std::uint64_t pc) {
    return Run(instructions, location, pc);
  }

  [[nodiscard]] const CfaRow& row() const { return row_; }

 private:
  // Far above any real function's; a hostile program ends here.
  static constexpr std::uint32_t kMaxSteps = 1U << 16;
  // Compilers nest one deep.
  static constexpr std::uint32_t kMaxRemembered = 4;

  enum class Outcome : std::uint8_t { kContinue, kReached, kDamaged };

  bool Run(ByteRange instructions, std::uint64_t location, std::uint64_t pc) {
    ByteReader reader(instructions);
    location_ = location;
    for (std::uint32_t step = 0; step < kMaxSteps; ++step) {
      if (reader.AtEnd()) return reader.ok();
      switch (Execute(&reader, pc)) {
        case Outcome::kContinue:
          break;
        case Outcome::kReached:
          return reader.ok();
        case Outcome::kDamaged:
          return false;
      }
    }
    return false;
  }

  Outcome Execute(ByteReader* reader, std::uint64_t pc) {
    const auto byte = reader->Read<std::uint8_t>();
    const std::uint8_t low = byte & 0x3f;
    switch (byte >> 6) {
      case 1:  // advance_loc
        return Advance(low * factors_.code_align, pc);
      case 2:  // offset
        SetAtCfa(low, reader->ReadUnsignedLeb());
        return Checked(*reader);
      case 3:  // restore
        Restore(low);
        return Outcome::kContinue;
      default:
        return ExecuteExtended(reader, byte, pc);
    }
  }

  Outcome ExecuteExtended(ByteReader* reader, std::uint8_t op,
                          std::uint64_t pc) {
    using Kind = RegisterRule::Kind;
    switch (op) {
      case 0x00:  // nop
        break;
      case 0x01:  // set_loc
        return AdvanceTo(reader->ReadEncoded(factors_.pointer_encoding, 0), pc,
                         *reader);
      case 0x02:  // advance_loc1
        return Advance(reader->Read<std::uint8_t>() * factors_.code_align, pc);
      case 0x03:  // advance_loc2
        return Advance(reader->Read<std::uint16_t>() * factors_.code_align, pc);
      case 0x04:  // advance_loc4
        return Advance(reader->Read<std::uint32_t>() * factors_.code_align, pc);
      case 0x05: {  // offset_extended
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        SetAtCfa(reg, reader->ReadUnsignedLeb());
        break;
      }
      case 0x06:  // restore_extended
        Restore(reader->ReadUnsignedLeb());
        break;
      case 0x07:  // undefined
        Set(reader->ReadUnsignedLeb(), {Kind::kUndefined, 0, {}});
        break;
      case 0x08:  // same_value
        Set(reader->ReadUnsignedLeb(), {Kind::kSame, 0, {}});
        break;
      case 0x09: {  // register
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        (void)reader->ReadUnsignedLeb();
        Set(reg, {Kind::kOther, 0, {}});
        break;
      }
      case 0x0a:  // remember_state
        if (remembered_count_ == kMaxRemembered) return Outcome::kDamaged;
        remembered_[remembered_count_++] = row_;
        break;
      case 0x0b:  // restore_state
        if (remembered_count_ == 0) return Outcome::kDamaged;
        row_ = remembered_[--remembered_count_];
        break;
      case 0x0c:  // def_cfa
        DefineCfaRegister(reader->ReadUnsignedLeb());
        row_.cfa_offset = static_cast<std::int64_t>(reader->ReadUnsignedLeb());
        break;
      case 0x0d:  // def_cfa_register
        DefineCfaRegister(reader->ReadUnsignedLeb());
        break;
      case 0x0e:  // def_cfa_offset
        row_.cfa_offset = static_cast<std::int64_t>(reader->ReadUnsignedLeb());
        break;
      case 0x0f:  // def_cfa_expression
        row_.cfa_is_expression = true;
        row_.cfa_expression = reader->Take(reader->ReadUnsignedLeb());
        break;
      case 0x10: {  // expression
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        Set(reg,
            {Kind::kAtExpression, 0, reader->Take(reader->ReadUnsignedLeb())});
        break;
      }
      case 0x11: {  // offset_extended_sf
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        SetAtCfa(reg, static_cast<std::uint64_t>(reader->ReadSignedLeb()));
        break;
      }
      case 0x12:  // def_cfa_sf
        DefineCfaRegister(reader->ReadUnsignedLeb());
        row_.cfa_offset =
            Factored(static_cast<std::uint64_t>(reader->ReadSignedLeb()));
        break;
      case 0x13:  // def_cfa_offset_sf
        row_.cfa_offset =
            Factored(static_cast<std::uint64_t>(reader->ReadSignedLeb()));
        break;
      case 0x14: {  // val_offset
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        Set(reg, {Kind::kCfaPlus, Factored(reader->ReadUnsignedLeb()), {}});
        break;
      }
      case 0x15: {  // val_offset_sf
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        const std::int64_t offset = reader->ReadSignedLeb();
        Set(reg,
            {Kind::kCfaPlus, Factored(static_cast<std::uint64_t>(offset)), {}});
        break;
      }
      case 0x16: {  // val_expression
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        reader->Skip(reader->ReadUnsignedLeb());
        Set(reg, {Kind::kOther, 0, {}});
        break;
      }
      case 0x2e:  // GNU_args_size
        (void)reader->ReadUnsignedLeb();
        break;
      case 0x2f: {  // GNU_negative_offset_extended
        const std::uint64_t reg = reader->ReadUnsignedLeb();
        SetAtCfa(reg, 0 - reader->ReadUnsignedLeb());
        break;
      }
      default:
        return Outcome::kDamaged;
    }
    return Checked(*reader);
  }

  static Outcome Checked(const ByteReader& reader) {
    return reader.ok() ? Outcome::kContinue : Outcome::kDamaged;
  }

  Outcome Advance(std::uint64_t bytes, std::uint64_t pc) {
    // The row in hand holds up to the new location, which may lie past pc.
    if (bytes > pc - location_) return Outcome::kReached;
    location_ += bytes;
    return Outcome::kContinue;
  }

  Outcome AdvanceTo(std::uint64_t location, std::uint64_t pc,
                    const ByteReader& reader) {
    if (!reader.ok() || location < location_) return Outcome::kDamaged;
    return Advance(location - location_, pc);
  }

  // Unsigned, so that a hostile product wraps instead of overflowing.
  [[nodiscard]] std::int64_t Factored(std::uint64_t offset) const {
    return static_cast<std::int64_t>(
        offset * static_cast<std::uint64_t>(factors_.data_align));
  }

  void DefineCfaRegister(std::uint64_t reg) {
    row_.cfa_is_expression = false;
    row_.cfa_register = reg < kDwarfReturnAddress
                            ? static_cast<std::uint8_t>(reg)
                            : kNoRegister;
  }

  // The rule of a register in a row, or nullptr for one that nobody follows.
  RegisterRule* RuleIn(CfaRow* row, std::uint64_t reg) const {
    switch (reg) {
      case kDwarfReturnAddress:
        return &row->return_address;
      case kDwarfRsp:
        return &row->rsp;
      case kDwarfRbp:
        return &row->rbp;
      default:
        return reg == extra_register_ ? &row->extra : nullptr;
    }
  }

  void Set(std::uint64_t reg, const RegisterRule& rule) {
    if (RegisterRule* const at = RuleIn(&row_, reg)) *at = rule;
  }
  void SetAtCfa(std::uint64_t reg, std::uint64_t factored_offset) {
    Set(reg, {RegisterRule::Kind::kAtCfa, Factored(factored_offset), {}});
  }
  void Restore(std::uint64_t reg) {
    RegisterRule* const at = RuleIn(&row_, reg);
    if (at != nullptr) *at = *RuleIn(&initial_, reg);
  }

  Factors factors_;
  std::uint8_t extra_register_;
  std::uint64_t location_ = 0;
  std::uint32_t remembered_count_ = 0;
  CfaRow row_;
  CfaRow initial_;
  CfaRow remembered_[kMaxRemembered];
};

}  // namespace heapledger::preload::unwind
