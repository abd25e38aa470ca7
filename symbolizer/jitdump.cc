// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/jitdump.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace heapledger::symbolizer {
namespace {

constexpr std::uint32_t kMagic = 0x4a695444;  // "JiTD" as a number
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 40;
constexpr std::size_t kRecordHeaderBytes = 16;

enum RecordId : std::uint32_t {
  kCodeLoad = 0,
  kCodeMove = 1,
  kDebugInfo = 2,
  kClose = 3,
};

// A file name that stands for the one of the entry before.
constexpr std::string_view kSameFile = "\xff";

// V8 adds the size of the ELF header, behind which perf will put the code, to
// the addresses of its lines (seen in node 20). It shows in that no code of the
// whole file has a line for its beginning.
constexpr std::uint64_t kElfHeaderBytes = 0x40;

// The pieces of an address space end before this.
constexpr std::uint64_t kLastAddress =
    std::numeric_limits<std::uint64_t>::max();

}  // namespace

// The bytes of one record, taken off the front.
class JitDump::Record {
 public:
  explicit Record(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  bool Take(Number* number) {
    static_assert(std::is_integral_v<Number>);
    if (bytes_.size() < sizeof *number) return false;
    std::memcpy(number, bytes_.data(), sizeof *number);
    bytes_.remove_prefix(sizeof *number);
    return true;
  }

  bool TakeText(std::string_view* text) {
    const std::size_t end = bytes_.find('\0');
    if (end == std::string_view::npos) return false;
    *text = bytes_.substr(0, end);
    bytes_.remove_prefix(end + 1);
    return true;
  }

  bool Skip(std::size_t size) {
    if (bytes_.size() < size) return false;
    bytes_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view bytes_;
};

std::string JitDump::FileName(std::int64_t pid) {
  return "jit-" + std::to_string(pid) + ".dump";
}

absl::StatusOr<JitDump> JitDump::Read(const RegularFile& file) {
  absl::StatusOr<std::string> bytes = file.Read(kMaxBytes);
  if (!bytes.ok()) return bytes.status();
  return Parse(*bytes);
}

absl::StatusOr<JitDump> JitDump::Parse(std::string_view bytes) {
  JitDump dump;
  Record header(bytes);
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint32_t header_bytes = 0;
  const bool whole = header.Take(&magic) && header.Take(&version) &&
                     header.Take(&header_bytes) && header.Skip(8) &&
                     header.Take(&dump.pid_);
  if (!whole || magic != kMagic || version != kVersion ||
      header_bytes < kHeaderBytes || header_bytes > bytes.size()) {
    return absl::DataLossError("read jitdump: not one of version 1");
  }
  bytes.remove_prefix(header_bytes);
  while (bytes.size() >= kRecordHeaderBytes) {
    Record record(bytes);
    std::uint32_t id = 0;
    std::uint32_t size = 0;
    record.Take(&id);
    record.Take(&size);
    // One that does not end yet is still being written; behind one without a
    // size nothing can be found.
    if (size < kRecordHeaderBytes || size > bytes.size()) {
      ++dump.skipped_records_;
      break;
    }
    if (id == kClose) break;
    const std::string_view body =
        bytes.substr(kRecordHeaderBytes, size - kRecordHeaderBytes);
    dump.AddRecord(id, Record(body));
    bytes.remove_prefix(size);
  }
  dump.Finish();
  return dump;
}

void JitDump::AddRecord(std::uint32_t id, Record record) {
  bool good = true;
  switch (id) {
    case kCodeLoad:
      good = AddLoad(record);
      break;
    case kCodeMove:
      good = AddMove(record);
      break;
    case kDebugInfo:
      good = AddDebugInfo(record);
      break;
    default:
      break;  // unwinding information, or what later versions may bring
  }
  if (!good) ++skipped_records_;
}

bool JitDump::AddLoad(Record& record) {
  Code code{};
  std::uint64_t index = 0;
  std::string_view name;
  // pid, tid and the address that it was compiled for come first.
  const bool whole = record.Skip(16) && record.Take(&code.start) &&
                     record.Take(&code.size) && record.Take(&index) &&
                     record.TakeText(&name);
  if (!whole || code.size == 0 || code.size > kLastAddress - code.start ||
      codes_.size() == std::numeric_limits<std::uint32_t>::max()) {
    return false;
  }
  code.name = Keep(name);
  if (pending_.line_count > 0 && pending_.code_start == code.start) {
    code.first_line = pending_.first_line;
    code.line_count = pending_.line_count;
  }
  pending_ = {};
  code_of_index_[index] = codes_.size();
  codes_.push_back(code);
  return true;
}

bool JitDump::AddMove(Record& record) {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
  std::uint64_t index = 0;
  // pid, tid, the address that it was compiled for, and where it was.
  const bool whole = record.Skip(24) && record.Take(&start) &&
                     record.Take(&size) && record.Take(&index);
  const auto moved = code_of_index_.find(index);
  if (!whole || moved == code_of_index_.end() || size == 0 ||
      size > kLastAddress - start ||
      codes_.size() == std::numeric_limits<std::uint32_t>::max()) {
    return false;
  }
  Code code = codes_[moved->second];
  code.start = start;
  code.size = size;
  moved->second = codes_.size();
  codes_.push_back(code);
  return true;
}

bool JitDump::AddDebugInfo(Record& record) {
  Pending pending;
  pending.first_line = lines_.size();
  std::uint64_t count = 0;
  if (!record.Take(&pending.code_start) || !record.Take(&count)) return false;
  Text file;
  // Ends with the record at the latest: each entry takes bytes of it.
  for (; pending.line_count < count; ++pending.line_count) {
    std::uint64_t address = 0;
    std::uint32_t line = 0;
    std::string_view name;
    if (!record.Take(&address) || !record.Take(&line) || !record.Skip(4) ||
        !record.TakeText(&name)) {
      lines_.resize(pending.first_line);
      return false;
    }
    if (name != kSameFile) file = Keep(name);
    lines_.push_back({address - pending.code_start, line, file});
  }
  pending_ = pending;
  const auto first =
      lines_.begin() + static_cast<std::ptrdiff_t>(pending.first_line);
  std::stable_sort(first, lines_.end(), [](const Line& a, const Line& b) {
    return a.offset < b.offset;
  });
  return true;
}

void JitDump::Finish() {
  std::vector<RangeIndex<std::uint32_t>::Range> ranges;
  ranges.reserve(codes_.size());
  for (std::uint32_t i = 0; i < codes_.size(); ++i) {
    ranges.push_back({codes_[i].start, codes_[i].start + codes_[i].size, i});
  }
  index_ = RangeIndex<std::uint32_t>::Build(
      std::move(ranges),
      [](const auto& a, const auto& b) { return a.value > b.value; });
  code_of_index_.clear();
  shifted_ = std::none_of(lines_.begin(), lines_.end(), [](const Line& line) {
    return line.offset < kElfHeaderBytes;
  });
}

std::optional<JitDump::Place> JitDump::Find(std::uint64_t address) const {
  const std::uint32_t* const index = index_.Find(address);
  if (index == nullptr) return std::nullopt;
  const Code& code = codes_[*index];
  Place place{.function = View(code.name), .file = {}, .line = 0};
  const std::uint64_t offset =
      address - code.start + (shifted_ ? kElfHeaderBytes : 0);
  const Line* const first = lines_.data() + code.first_line;
  const Line* const last = first + code.line_count;
  const Line* const after = std::upper_bound(
      first, last, offset,
      [](std::uint64_t at, const Line& line) { return at < line.offset; });
  if (after != first) {
    place.file = View(after[-1].file);
    place.line = after[-1].line;
  }
  return place;
}

JitDump::Text JitDump::Keep(std::string_view text) {
  const Text kept{text_.size(), text.size()};
  text_.append(text);
  return kept;
}

std::string_view JitDump::View(Text text) const {
  return std::string_view(text_).substr(text.offset, text.size);
}

}  // namespace heapledger::symbolizer
