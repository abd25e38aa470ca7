// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/section_bytes.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace heapledger::symbolizer {
namespace {

constexpr std::uint32_t kElfCompressZstd = 2;  // newer than glibc's elf.h

// A byte of zlib stands for 1032 at most, one of zstd for a block of 128 KiB in
// four bytes. A section that claims more lies, and would cost us the memory.
constexpr std::uint64_t kMaxZlibRatio = 1032;
constexpr std::uint64_t kMaxZstdRatio = 32768;

// At a time.
constexpr std::size_t kStepBytes = std::size_t{1} << 20;

// Calls `use(bytes)` for one step of the file after the other, until it says no
// or all are read. Returns whether all were.
template <typename Use>
bool ForEachStep(const RegularFile& file, std::uint64_t offset,
                 std::uint64_t size, Use&& use) {
  std::vector<char> buffer(std::min<std::uint64_t>(size, kStepBytes));
  while (size > 0) {
    const std::span<char> step(buffer.data(),
                               std::min<std::uint64_t>(size, buffer.size()));
    if (!file.ReadAt(offset, step).ok() || !use(step)) return false;
    offset += step.size();
    size -= step.size();
  }
  return true;
}

class Inflater {
 public:
  explicit Inflater(std::span<char> out) : left_(out) {
    ready_ = inflateInit(&stream_) == Z_OK;
  }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool Add(std::span<char> packed) {
    stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    while (ready_ && stream_.avail_in > 0 && !left_.empty()) {
      const std::size_t room = std::min(left_.size(), kStepBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(left_.data());
      stream_.avail_out = static_cast<uInt>(room);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      left_ = left_.subspan(room - stream_.avail_out);
      if (result == Z_STREAM_END) {
        // A linker may write several streams in a row.
        if (inflateReset(&stream_) != Z_OK) return false;
      } else if (result != Z_OK) {
        return false;
      }
    }
    return ready_;
  }
  bool done() const { return left_.empty(); }

 private:
  z_stream stream_{};
  std::span<char> left_;
  bool ready_ = false;
};

class ZstdDecoder {
 public:
  explicit ZstdDecoder(std::span<char> out)
      : stream_(ZSTD_createDStream()), out_{out.data(), out.size(), 0} {}
  ~ZstdDecoder() { ZSTD_freeDStream(stream_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  bool Add(std::span<char> packed) {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    while (stream_ != nullptr && in.pos < in.size && out_.pos < out_.size) {
      if (ZSTD_isError(ZSTD_decompressStream(stream_, &out_, &in)) != 0) {
        return false;
      }
    }
    return stream_ != nullptr;
  }
  bool done() const { return out_.pos == out_.size; }

 private:
  ZSTD_DStream* stream_;
  ZSTD_outBuffer out_;
};

template <typename Decoder>
bool Unpack(const RegularFile& file, std::uint64_t offset, std::uint64_t packed,
            std::span<char> out) {
  Decoder decoder(out);
  (void)ForEachStep(file, offset, packed, [&](std::span<char> step) {
    return decoder.Add(step) && !decoder.done();
  });
  return decoder.done();
}

// Takes a structure off the front of [*offset, *offset + *size).
template <typename Header>
bool TakeHeader(const RegularFile& file, std::uint64_t* offset,
                std::uint64_t* size, Header* header) {
  if (*size < sizeof *header) return false;
  const std::span<char> bytes(reinterpret_cast<char*>(header), sizeof *header);
  if (!file.ReadAt(*offset, bytes).ok()) return false;
  *offset += sizeof *header;
  *size -= sizeof *header;
  return true;
}

}  // namespace

std::optional<SectionBytes> SectionBytes::Of(const RegularFile& file,
                                             int elf_class,
                                             const GElf_Shdr& header,
                                             std::string_view name,
                                             std::uint64_t max_bytes) {
  SectionBytes bytes(file);
  bytes.offset_ = header.sh_offset;
  bytes.packed_ = header.sh_size;
  if (header.sh_type == SHT_NOBITS || header.sh_offset > file.size() ||
      header.sh_size > file.size() - header.sh_offset) {
    return std::nullopt;
  }
  bytes.size_ = header.sh_size;
  bool known = true;
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    known = bytes.ReadCompressionHeader(elf_class);
  } else if (name.starts_with(".zdebug_")) {
    known = bytes.ReadGnuHeader();
  }
  if (!known || bytes.size_ > max_bytes) return std::nullopt;
  const std::uint64_t ratio =
      bytes.packing_ == Packing::kZstd ? kMaxZstdRatio : kMaxZlibRatio;
  if (bytes.size_ / ratio > bytes.packed_) return std::nullopt;
  return bytes;
}

bool SectionBytes::ReadCompressionHeader(int elf_class) {
  std::uint32_t type = 0;
  if (elf_class == ELFCLASS64) {
    Elf64_Chdr header;
    if (!TakeHeader(*file_, &offset_, &packed_, &header)) return false;
    type = header.ch_type;
    size_ = header.ch_size;
  } else {
    Elf32_Chdr header;
    if (!TakeHeader(*file_, &offset_, &packed_, &header)) return false;
    type = header.ch_type;
    size_ = header.ch_size;
  }
  packing_ = type == kElfCompressZstd ? Packing::kZstd : Packing::kZlib;
  return type == ELFCOMPRESS_ZLIB || type == kElfCompressZstd;
}

bool SectionBytes::ReadGnuHeader() {
  // "ZLIB" and the size, big end first. A section that would not have shrunk
  // keeps its bytes and has none.
  std::array<unsigned char, 12> header;
  std::uint64_t offset = offset_;
  std::uint64_t packed = packed_;
  if (!TakeHeader(*file_, &offset, &packed, &header)) return true;
  if (std::memcmp(header.data(), "ZLIB", 4) != 0) return true;
  size_ = 0;
  for (std::size_t i = 4; i < header.size(); ++i) {
    size_ = (size_ << 8) | header[i];
  }
  offset_ = offset;
  packed_ = packed;
  packing_ = Packing::kZlib;
  return true;
}

bool SectionBytes::ReadInto(std::span<char> out) const {
  switch (packing_) {
    case Packing::kNone:
      return file_->ReadAt(offset_, out).ok();
    case Packing::kZlib:
      return Unpack<Inflater>(*file_, offset_, packed_, out);
    case Packing::kZstd:
      return Unpack<ZstdDecoder>(*file_, offset_, packed_, out);
  }
  return false;
}

}  // namespace heapledger::symbolizer
