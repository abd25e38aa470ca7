// SPDX-License-Identifier: Apache-2.0
// jit-PID.dump: what a JIT compiler writes for perf's "inject --jit", richer
// than a perf map: code that was loaded and moved, with files and lines. The
// layout is that of tools/perf/Documentation/jitdump-specification.txt of
// Linux, version 1, in this machine's byte order. The file is the target's: any
// record may be garbage, and garbage is skipped and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/range_index.h"
#include "symbolizer/regular_file.h"

namespace heapledger::symbolizer {

class JitDump {
 public:
  // "jit-42.dump"; the pid is that of the target's own pid namespace.
  static std::string FileName(std::int64_t pid);

  // Reads at most kMaxBytes. A dump grows while the target runs: read it again
  // to see more.
  static absl::StatusOr<JitDump> Read(const RegularFile& file);

  // Fails only if the header is not that of a jitdump of this byte order.
  static absl::StatusOr<JitDump> Parse(std::string_view bytes);

  struct Place {
    std::string_view function;
    std::string_view file;   // empty if not known
    std::uint32_t line = 0;  // 0 if not known
  };
  // What was put there last. Valid as long as this object stays in its place.
  std::optional<Place> Find(std::uint64_t address) const;

  std::uint32_t pid() const { return pid_; }
  std::size_t entries() const { return codes_.size(); }
  std::size_t skipped_records() const { return skipped_records_; }

 private:
  // The machine code itself lies in the file too.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 30;

  // A text in text_.
  struct Text {
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  struct Line {
    std::uint64_t offset;  // from the beginning of the code
    std::uint32_t line;
    Text file;
  };
  struct Code {
    std::uint64_t start;
    std::uint64_t size;
    Text name;
    std::size_t first_line;  // in lines_
    std::size_t line_count;
  };
  struct Pending {
    std::uint64_t code_start = 0;
    std::size_t first_line = 0;
    std::size_t line_count = 0;
  };
  class Record;

  void AddRecord(std::uint32_t id, Record record);
  bool AddLoad(Record& record);
  bool AddMove(Record& record);
  bool AddDebugInfo(Record& record);
  Text Keep(std::string_view text);
  std::string_view View(Text text) const;
  void Finish();

  std::string text_;
  std::vector<Code> codes_;
  std::vector<Line> lines_;
  std::unordered_map<std::uint64_t, std::size_t> code_of_index_;
  Pending pending_;  // debug info comes before its code
  bool shifted_ = false;
  RangeIndex<std::uint32_t> index_;
  std::uint32_t pid_ = 0;
  std::size_t skipped_records_ = 0;
};

}  // namespace heapledger::symbolizer
