// SPDX-License-Identifier: Apache-2.0
// The inner form of a snapshot file: indexes, stacks and sums, each checked
// before it is used. Memory and time are bounded by the size of the file, and
// where a small file could claim much (stacks that share nodes, frames that
// share a name) by the limits below.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/profile/hl_facts.h"
#include "collector/profile/hl_file.h"
#include "collector/profile/hl_layout.h"
#include "collector/profile/hl_sections.h"

namespace heapledger::collector {
namespace {

using Json = nlohmann::ordered_json;

// Far above what a ledger of 48 MiB can give rise to.
constexpr std::uint64_t kMaximumFileBytes = std::uint64_t{8} << 30;
constexpr std::size_t kMaximumFactsBytes = 1 << 20;
constexpr std::uint64_t kMaximumStackFrames = std::uint64_t{1} << 28;
constexpr std::uint64_t kMaximumNameBytes = std::uint64_t{1} << 30;
// What a shim can be told to keep, and as much again.
constexpr std::uint32_t kMaximumDepth = 1024;

// Sums of counts stay far from wrapping, also as signed numbers.
constexpr std::uint64_t kMaximumCount =
    static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

// Sums over as many tags as a file can hold stay far from wrapping.
constexpr std::uint64_t kMaximumScopes = std::uint64_t{1} << 62 >> 16;

// Lineages of files are told from those of ledgers, which count from 1.
std::uint64_t NextLineage() {
  static std::atomic<std::uint64_t> last{std::uint64_t{1} << 63};
  return ++last;
}

// Names that came with the file. Frames of another snapshot are its reader's
// mistake and get none.
class StoredNames final : public FrameNames {
 public:
  StoredNames(std::uint64_t lineage, std::vector<ResolvedPc> names)
      : lineage_(lineage), names_(std::move(names)) {}

  const ResolvedPc& Resolve(const LedgerSnapshot& snapshot,
                            std::uint32_t frame_index) override {
    static const ResolvedPc& unknown = *new ResolvedPc(1);
    return snapshot.lineage == lineage_ && frame_index < names_.size()
               ? names_[frame_index]
               : unknown;
  }

 private:
  const std::uint64_t lineage_;
  const std::vector<ResolvedPc> names_;
};

absl::StatusOr<Json> FactsOf(const HlSections& sections) {
  const auto text = sections.Chars(hl::kFacts);
  if (!text.ok()) return text.status();
  if (text->size() > kMaximumFactsBytes) {
    return sections.Unsound("its facts are too long");
  }
  Json facts = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!facts.is_object()) {
    return sections.Unsound("its facts are no JSON object");
  }
  return facts;
}

class Reader {
 public:
  explicit Reader(const HlSections& sections) : sections_(sections) {}

  absl::StatusOr<HlFile> Read(const std::string& path) {
    snapshot_.path = path;
    snapshot_.lineage = NextLineage();
    for (const auto step :
         {&Reader::ReadStrings, &Reader::ReadFacts, &Reader::ReadModules,
          &Reader::ReadCodes, &Reader::ReadFrames, &Reader::ReadCallsites,
          &Reader::ReadCounters, &Reader::ReadTags, &Reader::ReadMarks,
          &Reader::ReadNames, &Reader::ReadOthers}) {
      if (absl::Status ok = (this->*step)(); !ok.ok()) return ok;
    }
    snapshot_.tables =
        std::make_shared<const SnapshotTables>(std::move(tables_));
    file_.snapshot =
        std::make_shared<const LedgerSnapshot>(std::move(snapshot_));
    return std::move(file_);
  }

 private:
  absl::Status ReadStrings() {
    const auto strings = sections_.Chars(hl::kStrings);
    if (!strings.ok()) return strings.status();
    strings_ = *strings;
    return absl::OkStatus();
  }

  absl::Status ReadFacts() {
    auto facts = FactsOf(sections_);
    if (!facts.ok()) return facts.status();
    file_.facts = *std::move(facts);
    ApplyHlFacts(file_.facts, snapshot_);
    return absl::OkStatus();
  }

  // False where it lies outside the strings.
  bool Get(hl::Text text, std::string* out) const {
    if (text.offset > strings_.size() ||
        text.size > strings_.size() - text.offset) {
      return false;
    }
    *out = strings_.substr(text.offset, text.size);
    return true;
  }

  absl::Status ReadModules() {
    const auto records = sections_.Records<hl::Module>(hl::kModules);
    if (!records.ok()) return records.status();
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < records->size(); ++i) {
      const hl::Module record = (*records)[i];
      ModuleInfo& module = tables_.modules.emplace_back();
      bytes += std::uint64_t{record.path.size} + record.build_id.size;
      if (bytes > kMaximumNameBytes || !Get(record.path, &module.path) ||
          !Get(record.build_id, &module.build_id)) {
        return sections_.Unsound("a module's name lies outside it");
      }
      module.load_bias = record.load_bias;
      module.start = record.start;
      module.end = record.end;
      module.inode = record.inode;
      module.path_truncated = (record.flags & hl::kModulePathTruncated) != 0;
      module.loaded = (record.flags & hl::kModuleLoaded) != 0;
    }
    return absl::OkStatus();
  }

  absl::Status ReadCodes() {
    if (!sections_.Has(hl::kCodes)) return absl::OkStatus();
    const auto records = sections_.Records<hl::Code>(hl::kCodes);
    if (!records.ok()) return records.status();
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < records->size(); ++i) {
      const hl::Code record = (*records)[i];
      CodeInfo& code = tables_.codes.emplace_back();
      bytes += std::uint64_t{record.name.size} + record.file.size;
      if (bytes > kMaximumNameBytes || !Get(record.name, &code.name) ||
          !Get(record.file, &code.file)) {
        return sections_.Unsound("a Python function's name lies outside it");
      }
      code.first_line = record.first_line;
      code.name_cut = (record.flags & hl::kCodeNameCut) != 0;
      code.file_cut = (record.flags & hl::kCodeFileCut) != 0;
    }
    return absl::OkStatus();
  }

  absl::Status ReadFrames() {
    const auto records = sections_.Records<hl::Frame>(hl::kFrames);
    if (!records.ok()) return records.status();
    tables_.frames.reserve(records->size());
    for (std::size_t i = 0; i < records->size(); ++i) {
      const hl::Frame record = (*records)[i];
      if (record.module != kNoModule &&
          record.module >= tables_.modules.size()) {
        return sections_.Unsound("a frame names a module that is not there");
      }
      FrameInfo& frame = tables_.frames.emplace_back();
      frame.pc = record.pc;
      frame.module = record.module;
      frame.pc_is_exact = (record.flags & hl::kFramePcIsExact) != 0;
      if ((record.flags & hl::kFrameIsPython) == 0) continue;
      frame.code = CodeOfPythonPc(record.pc);
      frame.line = LineOfPythonPc(record.pc);
      if (frame.code >= tables_.codes.size() || record.module != kNoModule) {
        return sections_.Unsound(
            "a frame names a Python function that is not there");
      }
    }
    return absl::OkStatus();
  }

  // Depths by node id, once every node is known to lead to the empty stack.
  absl::Status CheckNodes(const HlRecords<hl::Node>& nodes,
                          std::vector<std::uint32_t>* depths) {
    depths->assign(1, 0);
    depths->reserve(nodes.size() + 1);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const hl::Node node = nodes[i];
      if (node.parent > i) {
        return sections_.Unsound("a stack does not lead outwards");
      }
      if (node.frame >= tables_.frames.size()) {
        return sections_.Unsound("a stack names a frame that is not there");
      }
      depths->push_back((*depths)[node.parent] + 1);
      if (depths->back() > kMaximumDepth) {
        return sections_.Unsound("a stack is deeper than any can be");
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadCallsites() {
    const auto nodes = sections_.Records<hl::Node>(hl::kNodes);
    if (!nodes.ok()) return nodes.status();
    const auto records = sections_.Records<hl::Callsite>(hl::kCallsites);
    if (!records.ok()) return records.status();
    std::vector<std::uint32_t> depths;
    if (absl::Status ok = CheckNodes(*nodes, &depths); !ok.ok()) return ok;
    std::uint64_t frames = 0;
    for (std::size_t i = 0; i < records->size(); ++i) {
      const std::uint32_t node = (*records)[i].node;
      if (node >= depths.size()) {
        return sections_.Unsound("a callsite names a stack that is not there");
      }
      frames += depths[node];
    }
    if (frames > kMaximumStackFrames) {
      return sections_.Unsound("its stacks have more frames than any ledger's");
    }
    tables_.callsites.reserve(records->size());
    tables_.stacks.reserve(frames);
    for (std::size_t i = 0; i < records->size(); ++i) {
      AddCallsite((*records)[i], *nodes);
    }
    return absl::OkStatus();
  }

  void AddCallsite(const hl::Callsite& record,
                   const HlRecords<hl::Node>& nodes) {
    CallsiteInfo& info = tables_.callsites.emplace_back();
    info.id = record.id;
    info.depth = record.depth;
    info.first_seen_monotonic_ns = record.first_seen_monotonic_ns;
    info.truncated = (record.flags & hl::kCallsiteTruncated) != 0;
    info.incomplete = (record.flags & hl::kCallsiteIncomplete) != 0;
    info.caller_only = (record.flags & hl::kCallsiteCallerOnly) != 0;
    info.inherited = (record.flags & hl::kCallsiteInherited) != 0;
    info.overflow = (record.flags & hl::kCallsiteOverflow) != 0;
    info.cut = (record.flags & hl::kCallsiteCut) != 0;
    info.stack_begin = static_cast<std::uint32_t>(tables_.stacks.size());
    for (std::uint32_t at = record.node; at != 0;) {
      const hl::Node node = nodes[at - 1];
      tables_.stacks.push_back(node.frame);
      at = node.parent;
    }
    info.stack_size =
        static_cast<std::uint32_t>(tables_.stacks.size()) - info.stack_begin;
  }

  // Invariants (1) and (2) of a snapshot, and that no sum wraps.
  absl::Status ReadCounters() {
    const auto records = sections_.Records<hl::Counters>(hl::kCounters);
    if (!records.ok()) return records.status();
    if (records->size() != tables_.callsites.size()) {
      return sections_.Unsound("not every callsite has its counters");
    }
    snapshot_.counters.reserve(records->size());
    HeapCounters totals;
    HeapCounters cut;
    for (std::size_t i = 0; i < records->size(); ++i) {
      const hl::Counters record = (*records)[i];
      const HeapCounters counters = {
          record.inherited_bytes, record.inherited_objects,
          record.allocated_bytes, record.allocated_objects,
          record.freed_bytes,     record.freed_objects};
      totals += counters;
      if (!Sane(counters) || !Sane(totals)) {
        return sections_.Unsound("a counter is larger than any can be");
      }
      if (counters.freed_bytes >
              counters.inherited_bytes + counters.allocated_bytes ||
          counters.freed_objects >
              counters.inherited_objects + counters.allocated_objects) {
        return sections_.Unsound("a callsite freed more than it had");
      }
      if (tables_.callsites[i].cut) cut += counters;
      snapshot_.counters.push_back(counters);
    }
    if (!(totals == snapshot_.totals) || !(cut == snapshot_.cut)) {
      return sections_.Unsound("its callsites do not add up to its totals");
    }
    if (snapshot_.peak_live_bytes > kMaximumCount) {
      return sections_.Unsound("a counter is larger than any can be");
    }
    return absl::OkStatus();
  }

  static bool Sane(const HeapCounters& c) {
    const auto fit = [](std::uint64_t a, std::uint64_t b) {
      return a <= kMaximumCount && b <= kMaximumCount - a;
    };
    return fit(c.inherited_bytes, c.allocated_bytes) &&
           fit(c.inherited_objects, c.allocated_objects) &&
           c.freed_bytes <= kMaximumCount && c.freed_objects <= kMaximumCount;
  }

  absl::Status ReadTags() {
    if (!sections_.Has(hl::kTags)) return absl::OkStatus();
    const auto tags = sections_.Records<hl::Tag>(hl::kTags);
    if (!tags.ok()) return tags.status();
    const auto labels = sections_.Records<hl::TagLabel>(hl::kTagLabels);
    if (!labels.ok()) return labels.status();
    std::uint64_t next = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < tags->size(); ++i) {
      const hl::Tag record = (*tags)[i];
      TagInfo& tag = tables_.tags.emplace_back();
      bytes += record.name.size;
      if (record.first_label != next ||
          record.label_count > labels->size() - next ||
          bytes > kMaximumNameBytes || !Get(record.name, &tag.name)) {
        return sections_.Unsound("a tag's texts are not where they should be");
      }
      for (; next < std::uint64_t{record.first_label} + record.label_count;
           ++next) {
        const hl::TagLabel label = (*labels)[next];
        TagLabel& room = tag.labels.emplace_back();
        bytes += std::uint64_t{label.key.size} + label.value.size;
        if (bytes > kMaximumNameBytes || !Get(label.key, &room.key) ||
            !Get(label.value, &room.value)) {
          return sections_.Unsound("a tag's label lies outside it");
        }
      }
      if (record.begun > kMaximumScopes || record.ended > kMaximumScopes) {
        return sections_.Unsound("a counter is larger than any can be");
      }
      snapshot_.scopes.push_back({record.begun, record.ended});
    }
    return ReadCallsiteTags();
  }

  absl::Status ReadCallsiteTags() {
    const auto of = sections_.Records<hl::CallsiteTag>(hl::kCallsiteTags);
    if (!of.ok()) return of.status();
    if (of->size() != tables_.callsites.size()) {
      return sections_.Unsound("not every callsite says what tag it has");
    }
    for (std::size_t i = 0; i < of->size(); ++i) {
      const std::uint32_t tag = (*of)[i].tag;
      if (tag != hl::kUntagged && tag >= tables_.tags.size()) {
        return sections_.Unsound("a callsite names a tag that is not there");
      }
      tables_.callsites[i].tag = tag;
    }
    return absl::OkStatus();
  }

  absl::Status ReadMarks() {
    if (!sections_.Has(hl::kMarks)) return absl::OkStatus();
    const auto records = sections_.Records<hl::Mark>(hl::kMarks);
    if (!records.ok()) return records.status();
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < records->size(); ++i) {
      const hl::Mark record = (*records)[i];
      HlMark& mark = file_.marks.emplace_back();
      bytes += record.name.size;
      if (bytes > kMaximumNameBytes || !Get(record.name, &mark.name)) {
        return sections_.Unsound("a mark's name lies outside it");
      }
      mark.taken_realtime_ns = record.taken_realtime_ns;
      mark.live_bytes = record.live_bytes;
      mark.live_objects = record.live_objects;
    }
    return absl::OkStatus();
  }

  absl::Status ReadNames() {
    if (!sections_.Has(hl::kNames)) return absl::OkStatus();
    const auto ranges = sections_.Records<hl::NameRange>(hl::kNames);
    if (!ranges.ok()) return ranges.status();
    const auto functions = sections_.Records<hl::Function>(hl::kFunctions);
    if (!functions.ok()) return functions.status();
    if (ranges->size() != tables_.frames.size()) {
      return sections_.Unsound("not every frame has its names");
    }
    std::vector<ResolvedPc> names(ranges->size());
    std::uint64_t next = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < ranges->size(); ++i) {
      const hl::NameRange range = (*ranges)[i];
      if (range.count == 0 || range.first != next ||
          range.count > functions->size() - next) {
        return sections_.Unsound(
            "a frame's names are not where they should "
            "be");
      }
      for (; next < std::uint64_t{range.first} + range.count; ++next) {
        if (!AddName((*functions)[next], &bytes, &names[i])) {
          return sections_.Unsound("a function's name lies outside it");
        }
      }
    }
    file_.names =
        std::make_shared<StoredNames>(snapshot_.lineage, std::move(names));
    return absl::OkStatus();
  }

  bool AddName(const hl::Function& record, std::uint64_t* bytes,
               ResolvedPc* names) const {
    for (const hl::Text text : {record.function, record.linkage_name,
                                record.module, record.build_id, record.file}) {
      *bytes += text.size;
    }
    if (*bytes > kMaximumNameBytes) return false;
    ResolvedFrame& frame = names->emplace_back();
    frame.line = record.line;
    frame.rel_pc = record.rel_pc;
    frame.inlined = (record.flags & hl::kFunctionInlined) != 0;
    frame.python = (record.flags & hl::kFunctionPython) != 0;
    return Get(record.function, &frame.function) &&
           Get(record.linkage_name, &frame.linkage_name) &&
           Get(record.module, &frame.module) &&
           Get(record.build_id, &frame.build_id) &&
           Get(record.file, &frame.file);
  }

  absl::Status ReadOthers() {
    for (const std::string& name : sections_.Names()) {
      if (std::ranges::find(hl::kOwnSections, name) != hl::kOwnSections.end()) {
        continue;
      }
      const auto bytes = sections_.Chars(name);
      if (!bytes.ok()) return bytes.status();
      if (!bytes->empty()) {
        file_.others.push_back({name, std::string(*bytes)});
      }
    }
    return absl::OkStatus();
  }

  const HlSections& sections_;
  std::string_view strings_;
  SnapshotTables tables_;
  LedgerSnapshot snapshot_;
  HlFile file_;
};

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

absl::StatusOr<int> Open(const std::string& path) {
  // NONBLOCK: a fifo of that name must not hold us up.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor >= 0) return descriptor;
  const int error = errno;
  const std::string message =
      absl::StrCat("cannot open ", path, ": ", ErrnoText(error));
  return error == ENOENT ? absl::NotFoundError(message)
                         : absl::PermissionDeniedError(message);
}

absl::StatusOr<std::vector<std::byte>> ReadWhole(int descriptor,
                                                 const std::string& path) {
  struct stat facts;
  if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no file; give a .hl file"));
  }
  if (static_cast<std::uint64_t>(facts.st_size) > kMaximumFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        " is no heapledger snapshot: it is larger than any; give a .hl "
        "file"));
  }
  // Read, not mapped: a file that shrinks under a mapping raises a signal.
  std::vector<std::byte> bytes(static_cast<std::size_t>(facts.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(descriptor, bytes.data() + done,
                              bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot read ", path, ": ", ErrnoText(errno)));
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

absl::StatusOr<HlFile> ParseHl(std::span<const std::byte> bytes,
                               const std::string& path) {
  const auto sections = HlSections::Parse(bytes, path);
  if (!sections.ok()) return sections.status();
  return Reader(*sections).Read(path);
}

absl::StatusOr<HlFile> ReadHl(int descriptor, const std::string& path) {
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  const auto bytes = ReadWhole(descriptor, path);
  if (!bytes.ok()) return bytes.status();
  return ParseHl(*bytes, path);
}

absl::StatusOr<HlFile> ReadHl(const std::string& path) {
  const auto descriptor = Open(path);
  if (!descriptor.ok()) return descriptor.status();
  return ReadHl(*descriptor, path);
}

absl::StatusOr<Json> ReadHlFacts(const std::string& path) {
  const auto descriptor = Open(path);
  if (!descriptor.ok()) return descriptor.status();
  const absl::Cleanup close_it = [&descriptor] { close(*descriptor); };
  const auto bytes = ReadWhole(*descriptor, path);
  if (!bytes.ok()) return bytes.status();
  const auto sections = HlSections::Parse(*bytes, path);
  if (!sections.ok()) return sections.status();
  return FactsOf(*sections);
}

bool LooksLikeHl(const std::string& path) {
  const auto descriptor = Open(path);
  if (!descriptor.ok()) return false;
  char magic[sizeof hl::kMagic] = {};
  const ssize_t got = read(*descriptor, magic, sizeof magic);
  close(*descriptor);
  return got == sizeof magic &&
         std::memcmp(magic, hl::kMagic, sizeof magic) == 0;
}

}  // namespace heapledger::collector
