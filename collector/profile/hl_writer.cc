// SPDX-License-Identifier: Apache-2.0
#include <zlib.h>

#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "collector/ledger/fingerprint.h"
#include "collector/profile/hl_facts.h"
#include "collector/profile/hl_file.h"
#include "collector/profile/hl_layout.h"

namespace heapledger::collector {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kAlignment = 8;

std::size_t Aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::uint32_t Checksum(const void* bytes, std::size_t size) {
  return static_cast<std::uint32_t>(
      crc32_z(0, static_cast<const Bytef*>(bytes), size));
}

// Sections one after another, and the table in front of them.
class FileBuilder {
 public:
  template <typename Record>
  void Add(std::string_view name, std::span<const Record> records) {
    hl::Section& section = table_.emplace_back();
    std::memset(&section, 0, sizeof section);
    name.copy(section.name, sizeof section.name);
    section.size = records.size_bytes();
    section.count = records.size();
    section.record_bytes = sizeof(Record);
    section.checksum = Checksum(records.data(), records.size_bytes());
    section.offset = body_.size();  // moved behind the table by Finish()
    body_.append(reinterpret_cast<const char*>(records.data()),
                 records.size_bytes());
    body_.resize(Aligned(body_.size()));
  }

  std::string Finish() {
    hl::Header header = {};
    std::memcpy(header.magic, hl::kMagic, sizeof header.magic);
    header.major = hl::kMajor;
    header.minor = hl::kMinor;
    header.header_bytes = sizeof(hl::Header);
    header.section_count = static_cast<std::uint32_t>(table_.size());
    header.section_bytes = sizeof(hl::Section);
    const std::size_t front =
        sizeof header + table_.size() * sizeof(hl::Section);
    static_assert(sizeof(hl::Header) % kAlignment == 0 &&
                  sizeof(hl::Section) % kAlignment == 0);
    header.file_bytes = front + body_.size();
    for (hl::Section& section : table_) section.offset += front;
    std::string file;
    file.reserve(header.file_bytes);
    file.resize(front);
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, table_.data(),
                front - sizeof header);
    header.checksum = Checksum(file.data(), front);
    std::memcpy(file.data(), &header, sizeof header);
    file += body_;
    return file;
  }

 private:
  std::vector<hl::Section> table_;
  std::string body_;
};

// Each text once.
class Strings {
 public:
  hl::Text Add(const std::string& text) {
    const auto known = places_.find(text);
    if (known != places_.end()) return known->second;
    if (text.size() > std::numeric_limits<std::uint32_t>::max() - size()) {
      overflowed_ = true;
      return {0, 0};
    }
    const hl::Text place = {size(), static_cast<std::uint32_t>(text.size())};
    bytes_ += text;
    places_.emplace(text, place);
    return place;
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] bool overflowed() const { return overflowed_; }

 private:
  [[nodiscard]] std::uint32_t size() const {
    return static_cast<std::uint32_t>(bytes_.size());
  }

  std::string bytes_;
  absl::flat_hash_map<std::string, hl::Text> places_;
  bool overflowed_ = false;
};

// Stacks with their common outer parts shared, as in the ledger.
class NodeTree {
 public:
  // `frames` innermost first; the id of the innermost frame's node.
  std::uint32_t Add(std::span<const std::uint32_t> frames) {
    // Callsites come as they were found: most share their outer part with the
    // one before.
    const std::size_t depth = frames.size();
    std::size_t shared = 0;
    while (shared < depth && shared < path_.size() &&
           path_[shared].frame == frames[depth - 1 - shared]) {
      ++shared;
    }
    path_.resize(shared);
    std::uint32_t at = shared == 0 ? 0 : path_.back().id;
    for (std::size_t i = shared; i < depth; ++i) {
      const std::uint32_t frame = frames[depth - 1 - i];
      if (latest_[at].frame != frame) {
        const std::uint32_t child = Child(at, frame);
        latest_[at] = {frame, child};
      }
      at = latest_[at].id;
      path_.push_back({frame, at});
    }
    return at;
  }

  [[nodiscard]] std::span<const hl::Node> nodes() const { return nodes_; }

 private:
  struct Step {
    std::uint32_t frame = kNoFrame;
    std::uint32_t id = 0;
  };
  static constexpr std::uint32_t kNoFrame = 0xffffffff;

  std::uint32_t Child(std::uint32_t parent, std::uint32_t frame) {
    const auto next = static_cast<std::uint32_t>(nodes_.size() + 1);
    const auto [place, added] =
        ids_.try_emplace((std::uint64_t{parent} << 32) | frame, next);
    if (added) {
      nodes_.push_back({parent, frame});
      latest_.emplace_back();
    }
    return place->second;
  }

  std::vector<hl::Node> nodes_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> ids_;
  // By node id, the child asked for last: most nodes have one, and a look into
  // a table costs ten times as much.
  std::vector<Step> latest_ = std::vector<Step>(1);
  std::vector<Step> path_;  // of the stack before, outermost first
};

std::uint32_t FlagsOf(const CallsiteInfo& info) {
  return (info.truncated ? hl::kCallsiteTruncated : 0U) |
         (info.incomplete ? hl::kCallsiteIncomplete : 0U) |
         (info.caller_only ? hl::kCallsiteCallerOnly : 0U) |
         (info.inherited ? hl::kCallsiteInherited : 0U) |
         (info.overflow ? hl::kCallsiteOverflow : 0U) |
         (info.cut ? hl::kCallsiteCut : 0U);
}

class Writer {
 public:
  Writer(const LedgerSnapshot& snapshot, const HlWriteOptions& options)
      : snapshot_(snapshot), options_(options) {}

  absl::StatusOr<std::string> Write() {
    Json names = Json::object();
    if (options_.names != nullptr) names = AddNames();
    AddModules();
    AddFrames();
    AddCodes();
    AddCallsites();
    AddCounters();
    AddTags();
    AddMarks();
    if (strings_.overflowed()) {
      return absl::ResourceExhaustedError(
          "the names of this heap take more than the 4 GiB that a snapshot "
          "file can hold; write it with --no-symbols");
    }
    Json facts = HlFacts(snapshot_);
    facts["written_by"] = options_.written_by;
    if (!names.empty()) facts["names"] = std::move(names);
    facts.update(options_.more_facts);
    const std::string text =
        facts.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    file_.Add(hl::kFacts, std::span(std::as_const(text)));
    file_.Add(hl::kStrings, std::span(strings_.bytes()));
    for (const HlSection& other : options_.others) {
      file_.Add(other.name, std::span(other.bytes));
    }
    return file_.Finish();
  }

 private:
  Json AddNames() {
    std::vector<hl::NameRange> ranges;
    std::vector<hl::Function> functions;
    std::uint64_t named = 0;
    const auto frames =
        static_cast<std::uint32_t>(snapshot_.tables->frames.size());
    for (std::uint32_t frame = 0; frame < frames; ++frame) {
      const ResolvedPc& resolved = options_.names->Resolve(snapshot_, frame);
      ranges.push_back({static_cast<std::uint32_t>(functions.size()),
                        static_cast<std::uint32_t>(resolved.size())});
      for (const ResolvedFrame& function : resolved) {
        functions.push_back(FunctionOf(function));
      }
      if (!resolved.back().function.empty()) ++named;
      hashes_.push_back(HashFrame(resolved.back()));
    }
    file_.Add(hl::kNames, std::span(std::as_const(ranges)));
    file_.Add(hl::kFunctions, std::span(std::as_const(functions)));
    return {{"frames", frames}, {"named", named}};
  }

  hl::Function FunctionOf(const ResolvedFrame& frame) {
    return {strings_.Add(frame.function),
            strings_.Add(frame.linkage_name),
            strings_.Add(frame.module),
            strings_.Add(frame.build_id),
            strings_.Add(frame.file),
            frame.rel_pc,
            frame.line,
            (frame.inlined ? hl::kFunctionInlined : 0U) |
                (frame.python ? hl::kFunctionPython : 0U)};
  }

  void AddModules() {
    std::vector<hl::Module> modules;
    for (const ModuleInfo& module : snapshot_.tables->modules) {
      modules.push_back(
          {strings_.Add(module.path), strings_.Add(module.build_id),
           module.load_bias, module.start, module.end, module.inode,
           (module.path_truncated ? hl::kModulePathTruncated : 0U) |
               (module.loaded ? hl::kModuleLoaded : 0U),
           0});
    }
    file_.Add(hl::kModules, std::span(std::as_const(modules)));
  }

  void AddFrames() {
    static_assert(hl::kNoModule == kNoModule);
    std::vector<hl::Frame> frames;
    frames.reserve(snapshot_.tables->frames.size());
    for (const FrameInfo& frame : snapshot_.tables->frames) {
      frames.push_back({frame.pc, frame.module,
                        (frame.pc_is_exact ? hl::kFramePcIsExact : 0U) |
                            (frame.is_python() ? hl::kFrameIsPython : 0U)});
    }
    file_.Add(hl::kFrames, std::span(std::as_const(frames)));
  }

  void AddCodes() {
    if (snapshot_.tables->codes.empty()) return;
    std::vector<hl::Code> codes;
    for (const CodeInfo& code : snapshot_.tables->codes) {
      codes.push_back({strings_.Add(code.name), strings_.Add(code.file),
                       code.first_line,
                       (code.name_cut ? hl::kCodeNameCut : 0U) |
                           (code.file_cut ? hl::kCodeFileCut : 0U)});
    }
    file_.Add(hl::kCodes, std::span(std::as_const(codes)));
  }

  void AddCallsites() {
    NodeTree tree;
    std::vector<hl::Callsite> callsites;
    callsites.reserve(snapshot_.counters.size());
    for (const CallsiteInfo& info : snapshot_.callsites()) {
      const auto stack = snapshot_.stack(info);
      callsites.push_back({info.id, tree.Add(stack), info.depth, FlagsOf(info),
                           info.first_seen_monotonic_ns,
                           FingerprintOfStack(info, stack)});
    }
    file_.Add(hl::kNodes, tree.nodes());
    file_.Add(hl::kCallsites, std::span(std::as_const(callsites)));
  }

  std::uint64_t FingerprintOfStack(const CallsiteInfo& info,
                                   std::span<const std::uint32_t> stack) {
    if (options_.names == nullptr) return 0;
    if (info.overflow) return OverflowFingerprint().value();
    std::vector<FrameHash> hashes;
    for (const std::uint32_t frame : stack) hashes.push_back(hashes_[frame]);
    return FingerprintOf(hashes,
                         info.cut ? StackEnd::kCut : StackEnd::kOutermost)
        .value();
  }

  void AddCounters() {
    std::vector<hl::Counters> counters;
    counters.reserve(snapshot_.counters.size());
    for (const HeapCounters& c : snapshot_.counters) {
      counters.push_back({c.inherited_bytes, c.inherited_objects,
                          c.allocated_bytes, c.allocated_objects, c.freed_bytes,
                          c.freed_objects});
    }
    file_.Add(hl::kCounters, std::span(std::as_const(counters)));
  }

  void AddTags() {
    static_assert(hl::kUntagged == kUntagged);
    const std::vector<TagInfo>& all = snapshot_.tables->tags;
    if (all.empty()) return;
    std::vector<hl::Tag> tags;
    std::vector<hl::TagLabel> labels;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const ScopeCounts scopes =
          i < snapshot_.scopes.size() ? snapshot_.scopes[i] : ScopeCounts();
      tags.push_back({strings_.Add(all[i].name),
                      static_cast<std::uint32_t>(labels.size()),
                      static_cast<std::uint32_t>(all[i].labels.size()),
                      scopes.begun, scopes.ended});
      for (const TagLabel& label : all[i].labels) {
        labels.push_back({strings_.Add(label.key), strings_.Add(label.value)});
      }
    }
    std::vector<hl::CallsiteTag> of_callsites;
    for (const CallsiteInfo& info : snapshot_.callsites()) {
      of_callsites.push_back({info.tag});
    }
    file_.Add(hl::kTags, std::span(std::as_const(tags)));
    file_.Add(hl::kTagLabels, std::span(std::as_const(labels)));
    file_.Add(hl::kCallsiteTags, std::span(std::as_const(of_callsites)));
  }

  void AddMarks() {
    std::vector<hl::Mark> marks;
    for (const HlMark& mark : options_.marks) {
      marks.push_back({strings_.Add(mark.name), mark.taken_realtime_ns,
                       mark.live_bytes, mark.live_objects});
    }
    file_.Add(hl::kMarks, std::span(std::as_const(marks)));
  }

  const LedgerSnapshot& snapshot_;
  const HlWriteOptions& options_;
  FileBuilder file_;
  Strings strings_;
  std::vector<FrameHash> hashes_;  // by frame index, where names are known
};

}  // namespace

absl::StatusOr<std::string> WriteHl(const LedgerSnapshot& snapshot,
                                    const HlWriteOptions& options) {
  return Writer(snapshot, options).Write();
}

}  // namespace heapledger::collector
