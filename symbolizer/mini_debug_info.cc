// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/mini_debug_info.h"

#include <gelf.h>
#include <libelf.h>
#include <lzma.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "symbolizer/elf_symbols.h"

namespace heapledger::symbolizer {
namespace {

// Those of large programs have some megabytes; xz can claim any number.
constexpr std::size_t kMaxBytes = std::size_t{256} << 20;
constexpr std::uint64_t kMaxDecoderMemory = std::uint64_t{128} << 20;
constexpr std::size_t kStepBytes = std::size_t{1} << 20;

absl::Status Damaged(const ElfFile& file, std::string_view why) {
  return absl::DataLossError("read .gnu_debugdata of " + file.path() + ": " +
                             std::string(why));
}

std::string_view SectionBytes(Elf* elf) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return {};
  for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr;
       scn = elf_nextscn(elf, scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) == nullptr) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || std::string_view(name) != ".gnu_debugdata") continue;
    const Elf_Data* data = elf_rawdata(scn, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    return {static_cast<const char*>(data->d_buf), data->d_size};
  }
  return {};
}

// Returns whether all of `packed` came out whole.
bool Unpack(std::string_view packed, std::string& out) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMaxDecoderMemory, LZMA_CONCATENATED) !=
      LZMA_OK) {
    return false;
  }
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK && out.size() < kMaxBytes) {
    const std::size_t before = out.size();
    out.resize(before + kStepBytes);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data()) + before;
    stream.avail_out = kStepBytes;
    result = lzma_code(&stream, LZMA_FINISH);
    out.resize(before + kStepBytes - stream.avail_out);
  }
  lzma_end(&stream);
  return result == LZMA_STREAM_END;
}

}  // namespace

void MiniDebugInfo::ElfDeleter::operator()(Elf* elf) const { elf_end(elf); }

MiniDebugInfo::MiniDebugInfo(std::unique_ptr<std::string> bytes,
                             std::unique_ptr<Elf, ElfDeleter> elf)
    : bytes_(std::move(bytes)), elf_(std::move(elf)) {}

absl::StatusOr<MiniDebugInfo> MiniDebugInfo::Read(const ElfFile& file) {
  auto bytes = std::make_unique<std::string>();
  if (!Unpack(SectionBytes(file.elf()), *bytes)) {
    return Damaged(file, "no xz data, or more than 256 MiB of them");
  }
  std::unique_ptr<Elf, ElfDeleter> elf(
      elf_memory(bytes->data(), bytes->size()));
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF) {
    return Damaged(file, "not an ELF file inside");
  }
  return MiniDebugInfo(std::move(bytes), std::move(elf));
}

void MiniDebugInfo::AppendTo(std::vector<Symbol>& symbols) const {
  AppendSymbols(elf_.get(), symbols);
}

}  // namespace heapledger::symbolizer
