// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/name_table.h"

#include <zlib.h>

#include <cstring>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"

namespace heapledger::symbolizer {
namespace {

// The last digit is the version.
constexpr std::string_view kMagic = "hlnames1";
constexpr std::size_t kHeaderBytes = kMagic.size() + 2 * sizeof(std::uint32_t);

// Of one address. Inlining goes some dozens deep.
constexpr std::uint32_t kMaxFrames = 4096;
constexpr std::uint8_t kInlined = 0x80;  // beside the quality

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

class Writer {
 public:
  template <typename Number>
  void Put(Number number) {
    static_assert(std::is_integral_v<Number>);
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void PutText(std::string_view text) {
    Put(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // After a failure everything is zero and empty.
  template <typename Number>
  Number Take() {
    Number number = 0;
    const std::string_view bytes = TakeBytes(sizeof number);
    if (ok_) std::memcpy(&number, bytes.data(), sizeof number);
    return number;
  }
  std::string_view TakeText() { return TakeBytes(Take<std::uint32_t>()); }

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view TakeBytes(std::size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

// Each text once, by number.
class Texts {
 public:
  std::uint32_t NumberOf(std::string_view text) {
    const auto next = static_cast<std::uint32_t>(numbers_.size());
    const auto [place, added] = numbers_.try_emplace(text, next);
    if (added) texts_.PutText(text);
    return place->second;
  }
  std::uint32_t count() const {
    return static_cast<std::uint32_t>(numbers_.size());
  }
  const std::string& bytes() { return texts_.bytes(); }

 private:
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
  Writer texts_;
};

void PutFrame(const Frame& frame, Texts& texts, Writer& out) {
  out.Put(texts.NumberOf(frame.function));
  out.Put(texts.NumberOf(frame.linkage_name));
  out.Put(texts.NumberOf(frame.file));
  out.Put(frame.line);
  out.Put(frame.column);
  const auto quality = static_cast<std::uint8_t>(frame.quality);
  out.Put(static_cast<std::uint8_t>(quality | (frame.inlined ? kInlined : 0)));
}

// Returns whether it was whole.
bool TakeFrame(const std::vector<std::string_view>& texts, Reader& in,
               Frame& frame) {
  for (std::string* text :
       {&frame.function, &frame.linkage_name, &frame.file}) {
    const auto number = in.Take<std::uint32_t>();
    if (!in.ok() || number >= texts.size()) return false;
    *text = texts[number];
  }
  frame.line = in.Take<std::uint32_t>();
  frame.column = in.Take<std::uint32_t>();
  const auto flags = in.Take<std::uint8_t>();
  const int quality = flags & ~kInlined;
  if (!in.ok() || quality >= kQualityCount) return false;
  frame.inlined = (flags & kInlined) != 0;
  frame.quality = static_cast<Quality>(quality);
  return true;
}

bool TakeBody(Reader& in, NameTable& table) {
  table.identity = in.TakeText();
  table.reason = in.Take<std::uint8_t>();
  table.detail = in.TakeText();
  table.debug_file = in.TakeText();
  std::vector<std::string_view> texts;
  for (auto left = in.Take<std::uint32_t>(); left > 0 && in.ok(); --left) {
    texts.push_back(in.TakeText());
  }
  for (auto left = in.Take<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto address = in.Take<std::uint64_t>();
    const auto count = in.Take<std::uint32_t>();
    if (count > kMaxFrames) return false;
    std::vector<Frame> frames;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!TakeFrame(texts, in, frames.emplace_back())) return false;
    }
    table.names.insert_or_assign(table.names.end(), address, std::move(frames));
  }
  return in.ok() && in.at_end();
}

}  // namespace

std::string NameTable::Encode() const {
  Texts texts;
  Writer lookups;
  std::uint64_t count = 0;
  for (const auto& [address, frames] : names) {
    if (frames.size() > kMaxFrames) continue;
    ++count;
    lookups.Put(address);
    lookups.Put(static_cast<std::uint32_t>(frames.size()));
    for (const Frame& frame : frames) PutFrame(frame, texts, lookups);
  }
  Writer body;
  body.PutText(identity);
  body.Put(reason);
  body.PutText(detail);
  body.PutText(debug_file);
  body.Put(texts.count());
  body.bytes().append(texts.bytes());
  body.Put(count);
  body.bytes().append(lookups.bytes());
  Writer file;
  file.bytes().append(kMagic);
  file.Put(static_cast<std::uint32_t>(body.bytes().size()));
  file.Put(Crc(body.bytes()));
  file.bytes().append(body.bytes());
  return std::move(file.bytes());
}

absl::StatusOr<NameTable> NameTable::Decode(std::string_view bytes) {
  Reader header(bytes.substr(0, kHeaderBytes));
  NameTable table;
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic)) {
    return absl::DataLossError("read names: not a file of this version");
  }
  header.Take<std::uint64_t>();  // the magic
  const auto size = header.Take<std::uint32_t>();
  const auto crc = header.Take<std::uint32_t>();
  bytes.remove_prefix(kHeaderBytes);
  if (bytes.size() != size || Crc(bytes) != crc) {
    return absl::DataLossError("read names: cut short or damaged");
  }
  Reader body(bytes);
  if (!TakeBody(body, table)) {
    return absl::DataLossError("read names: parts contradict each other");
  }
  return table;
}

}  // namespace heapledger::symbolizer
