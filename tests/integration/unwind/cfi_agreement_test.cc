// SPDX-License-Identifier: Apache-2.0
// Our rule and elfutils' reading of the CFI, at both ends of every row of every
// FDE of the libraries in this process. Both are evaluated over made-up
// registers and memory, so that forms need not match, only results.
#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "preload/unwind/rule_from_cfi.h"
#include "tests/support/glibc_walk_env.h"

namespace heapledger::testing {
namespace {

using unwind::RbpRule;
using unwind::RuleKind;
using unwind::UnwindRule;

// A made-up machine.
std::uint64_t RegisterValue(std::uint64_t number) {
  return 0x100000000ULL * (number + 1);
}
std::uint64_t MemoryAt(std::uint64_t address) {
  return (address ^ 0x5bd1e995U) * 0x9e3779b97f4a7c15ULL;
}

// What a rule says of a frame: its CFA, and the place of rbp and of the return
// address; no place: unchanged.
struct FrameShape {
  std::uint64_t cfa = 0;
  std::optional<std::uint64_t> rbp_at;
  bool rbp_lost = false;
  std::optional<std::uint64_t> return_address_at;
};

FrameShape ShapeOfRule(const UnwindRule& rule) {
  FrameShape shape;
  shape.cfa = RegisterValue(rule.base) +
              static_cast<std::uint64_t>(std::int64_t{rule.cfa_offset});
  if (rule.kind == RuleKind::kDeref) {
    shape.cfa = MemoryAt(shape.cfa) +
                static_cast<std::uint64_t>(std::int64_t{rule.cfa_addend});
  }
  const auto offset = static_cast<std::uint64_t>(std::int64_t{rule.rbp_offset});
  if (rule.rbp == RbpRule::kSavedAtCfa) shape.rbp_at = shape.cfa + offset;
  if (rule.rbp == RbpRule::kSavedAtRbp) {
    shape.rbp_at = RegisterValue(unwind::kDwarfRbp) + offset;
  }
  shape.rbp_lost = rule.rbp == RbpRule::kLost;
  shape.return_address_at = shape.cfa - 8;
  return shape;
}

// Runs a DWARF expression as elfutils hands it out; no value: not understood.
std::optional<std::uint64_t> Evaluate(const Dwarf_Op* ops, std::size_t count,
                                      std::uint64_t pc, std::uint64_t cfa) {
  std::vector<std::uint64_t> stack;
  const auto pop = [&stack] {
    const std::uint64_t value = stack.empty() ? 0 : stack.back();
    if (!stack.empty()) stack.pop_back();
    return value;
  };
  const auto reg = [pc](std::uint64_t number) {
    return number == unwind::kDwarfReturnAddress ? pc : RegisterValue(number);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Dwarf_Op& op = ops[i];
    if (op.atom >= 0x70 && op.atom < 0x90) {  // breg
      stack.push_back(reg(op.atom - 0x70U) + op.number);
    } else if (op.atom == 0x92) {  // bregx
      stack.push_back(reg(op.number) + op.number2);
    } else if (op.atom >= 0x30 && op.atom < 0x50) {  // lit
      stack.push_back(op.atom - 0x30U);
    } else if (op.atom == 0x9c) {  // call_frame_cfa
      stack.push_back(cfa);
    } else if (op.atom == 0x06) {  // deref
      stack.push_back(MemoryAt(pop()));
    } else if (op.atom == 0x23) {  // plus_uconst
      stack.push_back(pop() + op.number);
    } else if (op.atom == 0x22) {  // plus
      stack.push_back(pop() + pop());
    } else if (op.atom == 0x1a) {  // and
      stack.push_back(pop() & pop());
    } else if (op.atom == 0x24) {  // shl
      const std::uint64_t by = pop();
      stack.push_back(pop() << by);
    } else if (op.atom == 0x2a) {  // ge
      const std::uint64_t right = pop();
      stack.push_back(pop() >= right ? 1 : 0);
    } else {
      return std::nullopt;
    }
  }
  if (stack.size() != 1) return std::nullopt;
  return stack.back();
}

struct Tally {
  std::uint64_t rows = 0;
  std::uint64_t usable = 0;
  std::uint64_t ends = 0;      // return address undefined, by both
  std::uint64_t signals = 0;   // signal frames, by both
  std::uint64_t unusable = 0;  // ours says that it cannot
  std::uint64_t other_base = 0;
  std::uint64_t different = 0;
  std::string differences;
};

class Library {
 public:
  explicit Library(const void* inside) {
    dl_find_object object = {};
    if (_dl_find_object(const_cast<void*>(inside), &object) != 0) return;
    const link_map* const map = object.dlfo_link_map;
    bias_ = map->l_addr;
    path_ = map->l_name[0] == '\0' ? "/proc/self/exe" : map->l_name;
    if (!env_->FindSection(reinterpret_cast<std::uint64_t>(inside),
                           &section_)) {
      return;
    }
    elf_version(EV_CURRENT);
    file_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    elf_ = elf_begin(file_, ELF_C_READ_MMAP, nullptr);
    if (elf_ != nullptr) cfi_ = dwarf_getcfi_elf(elf_);
  }
  ~Library() {
    if (cfi_ != nullptr) dwarf_cfi_end(cfi_);
    if (elf_ != nullptr) elf_end(elf_);
    if (file_ >= 0) close(file_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool ok() const { return cfi_ != nullptr; }
  const std::string& path() const { return path_; }

  Tally Compare() {
    std::size_t headers = 0;
    elf_getphdrnum(elf_, &headers);
    for (std::size_t i = 0; i < headers; ++i) {
      GElf_Phdr header;
      if (gelf_getphdr(elf_, static_cast<int>(i), &header) == nullptr) continue;
      if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
      CompareRange(header.p_vaddr, header.p_vaddr + header.p_filesz);
    }
    return tally_;
  }

 private:
  void CompareRange(Dwarf_Addr start, Dwarf_Addr end) {
    for (Dwarf_Addr pc = start; pc < end;) {
      Dwarf_Frame* frame = nullptr;
      if (dwarf_cfi_addrframe(cfi_, pc, &frame) != 0) {
        ExpectNoCfi(pc);
        ++pc;
        continue;
      }
      Dwarf_Addr row_start = 0;
      Dwarf_Addr row_end = 0;
      bool signal = false;
      dwarf_frame_info(frame, &row_start, &row_end, &signal);
      CompareAt(pc, frame, signal);
      if (row_end - 1 > pc) CompareAt(row_end - 1, frame, signal);
      free(frame);
      pc = row_end;
    }
  }

  void ExpectNoCfi(Dwarf_Addr pc) {
    const RuleKind kind = unwind::RuleFromCfi(section_, bias_ + pc).kind;
    if (kind != RuleKind::kNoCfi && kind != RuleKind::kPlantedReturn) {
      Differ(pc, "they find no CFI");
    }
  }

  void CompareAt(Dwarf_Addr pc, Dwarf_Frame* frame, bool signal) {
    ++tally_.rows;
    const UnwindRule rule = unwind::RuleFromCfi(section_, bias_ + pc);
    Dwarf_Op memory[3];
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    dwarf_frame_register(frame, unwind::kDwarfReturnAddress, memory, &ops,
                         &count);
    const bool ends = count == 0 && ops == memory;
    if (ends || rule.kind == RuleKind::kEndOfStack) {
      ++tally_.ends;
      if (!ends || rule.kind != RuleKind::kEndOfStack) Differ(pc, "the end");
      return;
    }
    if (rule.kind == RuleKind::kSignalFrame) {
      ++tally_.signals;
      if (!signal) Differ(pc, "a signal frame");
      return;
    }
    if (!rule.HasCfa()) {
      ++tally_.unusable;
      if (rule.kind == RuleKind::kNoCfi) Differ(pc, "we find no CFI");
      return;
    }
    CompareShapes(pc, frame, rule);
  }

  void CompareShapes(Dwarf_Addr pc, Dwarf_Frame* frame,
                     const UnwindRule& rule) {
    const FrameShape ours = ShapeOfRule(rule);
    if (rule.base == unwind::kDwarfRsp || rule.base == unwind::kDwarfRbp) {
      ++tally_.usable;
    } else {
      ++tally_.other_base;
    }
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    dwarf_frame_cfa(frame, &ops, &count);
    const auto cfa = Evaluate(ops, count, pc, 0);
    if (cfa != ours.cfa) {
      Differ(pc, "the CFA");
      return;
    }
    Dwarf_Op memory[3];
    dwarf_frame_register(frame, unwind::kDwarfRbp, memory, &ops, &count);
    if (count == 0) {
      // Same value, or undefined.
      if (ours.rbp_at || ours.rbp_lost != (ops == memory)) Differ(pc, "rbp");
    } else if (!ours.rbp_lost &&
               Evaluate(ops, count, pc, ours.cfa) != ours.rbp_at) {
      Differ(pc, "the place of rbp");
    }
    dwarf_frame_register(frame, unwind::kDwarfReturnAddress, memory, &ops,
                         &count);
    if (Evaluate(ops, count, pc, ours.cfa) != ours.return_address_at) {
      Differ(pc, "the place of the return address");
    }
  }

  void Differ(Dwarf_Addr pc, const char* what) {
    if (++tally_.different > 20) return;
    char line[160];
    std::snprintf(line, sizeof line, "  %#lx: %s\n", pc, what);
    tally_.differences += line;
  }

  std::unique_ptr<GlibcWalkEnv> env_ = std::make_unique<GlibcWalkEnv>();
  std::string path_;
  std::uint64_t bias_ = 0;
  unwind::EhFrameSection section_;
  int file_ = -1;
  Elf* elf_ = nullptr;
  Dwarf_CFI* cfi_ = nullptr;
  Tally tally_;
};

void ExpectAgreement(const void* inside, double least_usable) {
  Library library(inside);
  ASSERT_TRUE(library.ok());
  const Tally tally = library.Compare();
  const double usable =
      static_cast<double>(tally.usable + tally.ends + tally.signals) /
      static_cast<double>(tally.rows);
  std::printf(
      "%s: row ends %lu, by rsp or rbp %lu (%.4f%%), by another register %lu, "
      "ends %lu, signal frames %lu, unusable %lu, different %lu\n",
      library.path().c_str(), tally.rows, tally.usable, 100 * usable,
      tally.other_base, tally.ends, tally.signals, tally.unusable,
      tally.different);
  EXPECT_EQ(tally.different, 0U) << tally.differences;
  EXPECT_GT(tally.rows, 1000U);
  EXPECT_GE(usable, least_usable);
}

TEST(CfiAgreementTest, TheCLibrary) {
  ExpectAgreement(dlsym(RTLD_DEFAULT, "qsort"), 0.999);
}

TEST(CfiAgreementTest, TheCxxLibrary) {
  ExpectAgreement(dlsym(RTLD_DEFAULT, "__cxa_throw"), 0.9999);
}

TEST(CfiAgreementTest, TheMathLibrary) {
  double (*const sine)(double) = &std::sin;
  const void* address = nullptr;
  std::memcpy(&address, &sine, sizeof address);
  ExpectAgreement(address, 0.9999);
}

TEST(CfiAgreementTest, TheDynamicLoader) {
  ExpectAgreement(dlsym(RTLD_DEFAULT, "__tls_get_addr"), 0.99);
}

TEST(CfiAgreementTest, ElfutilsItself) {
  ExpectAgreement(dlsym(RTLD_DEFAULT, "dwarf_getcfi_elf"), 0.9999);
}

// OpenSSL's: much of it keeps the CFA in places that compilers do not use.
TEST(CfiAgreementTest, HandWrittenAssembly) {
  void* const crypto = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
  if (crypto == nullptr) GTEST_SKIP() << "libcrypto.so.3 is not installed";
  ExpectAgreement(dlsym(crypto, "EVP_EncryptInit_ex"), 0.98);
}

TEST(CfiAgreementTest, ThisProgram) {
  void (*const inside)(const void*, double) = &ExpectAgreement;
  const void* address = nullptr;
  std::memcpy(&address, &inside, sizeof address);
  ExpectAgreement(address, 0.9999);
}

}  // namespace
}  // namespace heapledger::testing
