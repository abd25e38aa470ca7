// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/table_builder.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>
#include <string_view>

#include "absl/hash/hash.h"
#include "collector/shm/tag_reader.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

using ledger::CallsiteRecord;
using ledger::ExtentKind;
using ledger::FrameRecord;
using ledger::kRecordsPerChunk;
using ledger::ModuleRecord;
using ledger::StackNode;

template <typename Record>
constexpr std::size_t kRecordWords = sizeof(Record) / kWordBytes;
template <typename Record>
constexpr std::size_t kChunkWords =
    kRecordsPerChunk<Record>* kRecordWords<Record>;

// A walk that goes on for longer runs in a circle.
constexpr std::uint32_t kMaximumWalk = ledger::kMaxStackDepth + 1;
// 128 MB of frame indexes: ten times what 50,000 deep stacks take. Only a
// forged ledger, all of whose callsites share one long chain, has more.
constexpr std::size_t kMaximumStackEntries = std::size_t{32} << 20;

std::string TextOf(std::span<const std::uint64_t> record, std::size_t offset,
                   std::size_t size) {
  const std::string_view bytes(
      reinterpret_cast<const char*>(std::as_bytes(record).data()) + offset,
      size);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

// Whether two records of the same stack are one callsite: their flags count.
bool SameKind(const CallsiteInfo& a, const CallsiteInfo& b) {
  return a.truncated == b.truncated && a.incomplete == b.incomplete &&
         a.caller_only == b.caller_only && a.inherited == b.inherited &&
         a.overflow == b.overflow && a.cut == b.cut && a.tag == b.tag;
}

CallsiteInfo DecodeCallsite(std::uint32_t id,
                            std::span<const std::uint64_t> record) {
  const auto flags =
      LoadField<std::uint32_t>(record, offsetof(CallsiteRecord, flags));
  CallsiteInfo info;
  info.id = id;
  info.truncated = (flags & ledger::kCallsiteTruncated) != 0;
  info.incomplete = (flags & ledger::kCallsiteIncomplete) != 0;
  info.caller_only = (flags & ledger::kCallsiteCallerOnly) != 0;
  info.inherited = (flags & ledger::kCallsiteInherited) != 0;
  info.overflow = (flags & ledger::kCallsiteOverflow) != 0;
  info.cut = (flags & ledger::kCallsiteCut) != 0;
  // As its id, until AddCallsite().
  info.tag = LoadField<std::uint16_t>(record, offsetof(CallsiteRecord, tag));
  info.first_seen_monotonic_ns = LoadField<std::uint64_t>(
      record, offsetof(CallsiteRecord, first_seen_monotonic_ns));
  return info;
}

bool IsShimPath(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name == "libheapledger.so" || name == "libheapledger-checking.so";
}

std::uint64_t NextLineage() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

TableBuilder::TableBuilder()
    : lineage_(NextLineage()), tables_(std::make_shared<SnapshotTables>()) {}

SnapshotTables& TableBuilder::Mutable() {
  if (tables_.use_count() > 1) {
    tables_ = std::make_shared<SnapshotTables>(*tables_);
  }
  return *tables_;
}

// A writer publishes modules before frames, these before nodes, and these
// before callsites. Read in the opposite order, with the extents looked up
// anew in between, everything that a callsite refers to is there.
absl::Status TableBuilder::Update(const MappedLedger& file) {
  nodes_.clear();
  frames_.clear();
  auto extents = file.ReadExtents();
  if (!extents.ok()) return extents.status();
  extents_ = *std::move(extents);
  std::vector<NewCallsite> fresh;
  if (absl::Status ok = ReadCallsites(file, &fresh); !ok.ok()) return ok;
  extents = file.ReadExtents();
  if (!extents.ok()) return extents.status();
  extents_ = *std::move(extents);
  if (absl::Status ok = ReadModules(file); !ok.ok()) return ok;
  if (absl::Status ok = codes_.Update(file, extents_); !ok.ok()) return ok;
  if (absl::Status ok = ReadTags(file); !ok.ok()) return ok;
  for (NewCallsite& callsite : fresh) {
    absl::Status ok = AddCallsite(file, callsite);
    if (!ok.ok()) return ok;
  }
  nodes_.clear();
  frames_.clear();
  if (codes_.codes().size() != tables_->codes.size()) {
    Mutable().codes = codes_.codes();
  }
  return absl::OkStatus();
}

std::uint32_t TableBuilder::OverflowIndex() {
  const auto [place, added] = index_of_callsite_.try_emplace(
      ledger::kOverflowCallsite,
      static_cast<std::uint32_t>(tables_->callsites.size()));
  if (added) {
    CallsiteInfo info;
    info.id = ledger::kOverflowCallsite;
    info.overflow = true;
    Mutable().callsites.push_back(info);
  }
  return place->second;
}

absl::Status TableBuilder::ReadCallsites(const MappedLedger& file,
                                         std::vector<NewCallsite>* fresh) {
  constexpr std::uint32_t kPerChunk = kRecordsPerChunk<CallsiteRecord>;
  constexpr std::size_t kSize = kRecordWords<CallsiteRecord>;
  Words words(kChunkWords<CallsiteRecord>);
  for (const ExtentView& extent : extents_.OfKind(ExtentKind::kCallsites)) {
    const auto known = known_in_chunk_.find(extent.chunk);
    // Id 0 is never published.
    const std::uint32_t all = extent.chunk == 0 ? kPerChunk - 1 : kPerChunk;
    if (known != known_in_chunk_.end() && known->second >= all) continue;
    if (absl::Status ok = file.Copy(extent.page, words); !ok.ok()) return ok;
    for (std::uint32_t i = 0; i < kPerChunk; ++i) {
      const std::uint32_t id = extent.chunk * kPerChunk + i;
      const auto record =
          std::span<const std::uint64_t>(words).subspan(i * kSize, kSize);
      if (static_cast<std::uint32_t>(record[0]) != 1 ||
          id == ledger::kNoCallsite || id >= ledger::kMaxCallsites) {
        continue;
      }
      // The place is reserved now and filled by AddCallsite().
      if (!index_of_callsite_.try_emplace(id, UINT32_MAX).second) continue;
      ++known_in_chunk_[extent.chunk];
      fresh->push_back({DecodeCallsite(id, record),
                        static_cast<std::uint32_t>(record[0] >> 32)});
    }
  }
  return absl::OkStatus();
}

absl::Status TableBuilder::ReadModules(const MappedLedger& file) {
  constexpr std::uint32_t kPerChunk = kRecordsPerChunk<ModuleRecord>;
  constexpr std::size_t kSize = kRecordWords<ModuleRecord>;
  Words words(kChunkWords<ModuleRecord>);
  for (const ExtentView& extent : extents_.OfKind(ExtentKind::kModules)) {
    if (absl::Status ok = file.Copy(extent.page, words); !ok.ok()) return ok;
    Words& before = module_chunks_[extent.page];
    if (before == words) continue;
    for (std::uint32_t i = 0; i < kPerChunk; ++i) {
      const auto record =
          std::span<const std::uint64_t>(words).subspan(i * kSize, kSize);
      const auto state = static_cast<ledger::ModuleState>(
          LoadField<std::uint32_t>(record, offsetof(ModuleRecord, state)));
      const std::uint32_t id = extent.chunk * kPerChunk + i;
      if (state == ledger::ModuleState::kFree || id == 0) continue;
      LearnModule(id, record);
    }
    before = words;
  }
  return absl::OkStatus();
}

void TableBuilder::LearnModule(std::uint32_t id,
                               std::span<const std::uint64_t> record) {
  const auto number = [record](std::size_t offset) {
    return LoadField<std::uint64_t>(record, offset);
  };
  const auto path_bytes =
      LoadField<std::uint32_t>(record, offsetof(ModuleRecord, path_bytes));
  const auto build_id_bytes =
      LoadField<std::uint32_t>(record, offsetof(ModuleRecord, build_id_bytes));
  ModuleInfo module;
  module.load_bias = number(offsetof(ModuleRecord, load_bias));
  module.start = number(offsetof(ModuleRecord, start));
  module.end = number(offsetof(ModuleRecord, end));
  module.inode = number(offsetof(ModuleRecord, inode));
  module.path_truncated =
      LoadField<std::uint32_t>(record,
                               offsetof(ModuleRecord, path_truncated)) != 0;
  module.loaded = static_cast<ledger::ModuleState>(LoadField<std::uint32_t>(
                      record, offsetof(ModuleRecord, state))) ==
                  ledger::ModuleState::kLoaded;
  if (path_bytes > ledger::kModulePathBytes ||
      build_id_bytes > ledger::kBuildIdBytes || module.start > module.end) {
    ++corrupt_;
    module.start = module.end = 0;
  }
  module.path = TextOf(record, offsetof(ModuleRecord, path),
                       std::min(path_bytes, ledger::kModulePathBytes));
  module.build_id.assign(
      reinterpret_cast<const char*>(std::as_bytes(record).data()) +
          offsetof(ModuleRecord, build_id),
      std::min(build_id_bytes, ledger::kBuildIdBytes));
  const auto [place, added] = index_of_module_.try_emplace(
      id, static_cast<std::uint32_t>(tables_->modules.size()));
  if (added) {
    Mutable().modules.emplace_back();
    shim_modules_.push_back(false);
  }
  shim_modules_[place->second] = IsShimPath(module.path);
  Mutable().modules[place->second] = std::move(module);
}

absl::Status TableBuilder::AddCallsite(const MappedLedger& file,
                                       NewCallsite callsite) {
  std::vector<std::uint32_t>& stack = stack_;
  stack.clear();
  if (absl::Status ok = WalkStack(file, callsite.node, &stack); !ok.ok()) {
    return ok;
  }
  CallsiteInfo& info = callsite.info;
  info.depth = static_cast<std::uint32_t>(stack.size());
  info.tag = TagIndex(info.tag);
  const std::uint64_t hash = absl::Hash<std::vector<std::uint32_t>>{}(stack);
  std::uint32_t& latest =
      callsite_by_hash_.try_emplace(hash, kNone).first->second;
  for (std::uint32_t at = latest; at != kNone; at = same_hash_[at]) {
    const CallsiteInfo& other = tables_->callsites[at];
    if (!SameKind(info, other)) continue;
    if (!std::ranges::equal(
            stack, std::span(tables_->stacks)
                       .subspan(other.stack_begin, other.stack_size))) {
      continue;
    }
    index_of_callsite_[info.id] = at;
    return absl::OkStatus();
  }
  SnapshotTables& tables = Mutable();
  if (tables.stacks.size() + stack.size() > kMaximumStackEntries) {
    ++corrupt_;
    stack.clear();
  }
  info.stack_begin = static_cast<std::uint32_t>(tables.stacks.size());
  info.stack_size = static_cast<std::uint32_t>(stack.size());
  const auto index = static_cast<std::uint32_t>(tables.callsites.size());
  tables.stacks.insert(tables.stacks.end(), stack.begin(), stack.end());
  tables.callsites.push_back(info);
  index_of_callsite_[info.id] = index;
  // The overflow's place has no stack and is found by its id.
  same_hash_.resize(index, kNone);
  same_hash_.push_back(latest);
  latest = index;
  return absl::OkStatus();
}

absl::Status TableBuilder::ReadTags(const MappedLedger& file) {
  const auto fresh = ReadNewTags(file, extents_, index_of_tag_);
  if (!fresh.ok()) return fresh.status();
  for (const auto& [id, tag] : *fresh) {
    index_of_tag_[id] = static_cast<std::uint32_t>(tables_->tags.size());
    Mutable().tags.push_back(tag);
  }
  return absl::OkStatus();
}

std::uint32_t TableBuilder::TagIndex(std::uint32_t id) {
  if (id == ledger::kNoTag) return kUntagged;
  const auto known = index_of_tag_.find(id);
  return known == index_of_tag_.end() ? OtherTagIndex() : known->second;
}

std::uint32_t TableBuilder::OtherTagIndex() {
  const auto [place, added] = index_of_tag_.try_emplace(
      ledger::kOtherTag, static_cast<std::uint32_t>(tables_->tags.size()));
  if (added) Mutable().tags.push_back({std::string(kOtherTagName), {}});
  return place->second;
}

// Where a scan at exit is asked for, the shim stands between libc and main.
// That is no part of the program: its stacks are the same with and without.
bool TableBuilder::IsShim(std::uint32_t frame) const {
  const std::uint32_t module = tables_->frames[frame].module;
  return module < shim_modules_.size() && shim_modules_[module];
}

// What cannot be followed ends the stack and counts as one corrupt record.
absl::Status TableBuilder::WalkStack(const MappedLedger& file,
                                     std::uint32_t node,
                                     std::vector<std::uint32_t>* frames) {
  for (std::uint32_t count = 0; node != 0; ++count) {
    if (count == kMaximumWalk) {
      frames->clear();  // a circle has no innermost part worth showing
      ++corrupt_;
      return absl::OkStatus();
    }
    Step* const step = StepOf(node);
    if (step != nullptr && step->frame == kUnread) {
      if (absl::Status ok = ReadStep(file, node, step); !ok.ok()) return ok;
    }
    if (step == nullptr || step->frame == kUnread) {
      ++corrupt_;
      return absl::OkStatus();
    }
    if (!IsShim(step->frame)) frames->push_back(step->frame);
    node = step->parent;
  }
  return absl::OkStatus();
}

TableBuilder::Step* TableBuilder::StepOf(std::uint32_t node) {
  constexpr std::uint32_t kPerChunk = kRecordsPerChunk<StackNode>;
  const std::uint32_t chunk = node / kPerChunk;
  if (chunk != last_chunk_) {
    auto place = steps_.find(chunk);
    if (place == steps_.end()) {
      if (extents_.Find(ExtentKind::kNodes, chunk).empty()) return nullptr;
      place = steps_.try_emplace(chunk, kPerChunk).first;
    }
    last_steps_ = place->second;
    last_chunk_ = chunk;
  }
  return &last_steps_[node % kPerChunk];
}

absl::Status TableBuilder::ReadStep(const MappedLedger& file,
                                    std::uint32_t node, Step* step) {
  const auto word = NodeWord(file, node);
  if (!word.ok()) return word.status();
  if (*word == 0) return absl::OkStatus();
  const auto frame = FrameIndex(file, StackNode::Frame(*word));
  if (!frame.ok()) return frame.status();
  if (frame->has_value()) *step = {**frame, StackNode::Parent(*word)};
  return absl::OkStatus();
}

// 0 where it is not published; a callsite's nodes are, before it is.
absl::StatusOr<std::uint64_t> TableBuilder::NodeWord(const MappedLedger& file,
                                                     std::uint32_t id) {
  std::span<const std::uint64_t> record;
  absl::Status ok =
      FetchRecord(file, ExtentKind::kNodes, id, kRecordsPerChunk<StackNode>, 1,
                  &nodes_, &record);
  if (!ok.ok()) return ok;
  return record.empty() ? 0 : record[0];
}

absl::StatusOr<std::optional<std::uint32_t>> TableBuilder::FrameIndex(
    const MappedLedger& file, std::uint32_t id) {
  if (id == 0) return std::nullopt;
  if (const auto known = index_of_frame_.find(id);
      known != index_of_frame_.end()) {
    return known->second;
  }
  std::span<const std::uint64_t> record;
  absl::Status ok =
      FetchRecord(file, ExtentKind::kFrames, id, kRecordsPerChunk<FrameRecord>,
                  kRecordWords<FrameRecord>, &frames_, &record);
  if (!ok.ok()) return ok;
  if (record.empty()) return std::nullopt;
  const std::uint32_t index = InternFrame(
      record[0],
      LoadField<std::uint32_t>(record, offsetof(FrameRecord, module)),
      LoadField<std::uint32_t>(record, offsetof(FrameRecord, flags)));
  index_of_frame_[id] = index;
  return index;
}

std::uint32_t TableBuilder::InternFrame(std::uint64_t pc,
                                        std::uint32_t module_id,
                                        std::uint32_t flags) {
  FrameInfo frame;
  frame.pc = pc;
  frame.pc_is_exact = (flags & ledger::kFramePcIsExact) != 0;
  if ((flags & ledger::kFrameIsPython) != 0) {
    frame = PythonFrame(pc);
  } else if (module_id != 0) {
    const auto module = index_of_module_.find(module_id);
    if (module == index_of_module_.end()) {
      ++corrupt_;
    } else {
      frame.module = module->second;
    }
  }
  const std::uint64_t rest = (std::uint64_t{frame.module} << 2) |
                             (frame.is_python() ? 2 : 0) |
                             (frame.pc_is_exact ? 1 : 0);
  const auto [place, added] = frame_by_content_.try_emplace(
      {frame.pc, rest}, static_cast<std::uint32_t>(tables_->frames.size()));
  if (added) Mutable().frames.push_back(frame);
  return place->second;
}

// Ids of code records give way to indexes: two records may be one code.
FrameInfo TableBuilder::PythonFrame(std::uint64_t word) {
  FrameInfo frame;
  frame.code = codes_.IndexOf(ledger::PythonWord::Code(word));
  frame.line = ledger::PythonWord::Line(word);
  frame.pc = PythonPc(word, frame.code);
  return frame;
}

absl::Status TableBuilder::FetchRecord(const MappedLedger& file,
                                       ExtentKind kind, std::uint32_t id,
                                       std::uint32_t per_chunk,
                                       std::size_t record_words,
                                       ChunkCache* cache,
                                       std::span<const std::uint64_t>* record) {
  const std::uint32_t chunk = id / per_chunk;
  const auto [place, added] = cache->try_emplace(chunk);
  if (added) {
    for (const ExtentView& extent : extents_.Find(kind, chunk)) {
      Words words(per_chunk * record_words);
      absl::Status ok = file.Copy(extent.page, words);
      if (!ok.ok()) return ok;
      place->second.push_back(std::move(words));
    }
  }
  *record = {};
  for (const Words& words : place->second) {
    const std::size_t at = id % per_chunk * record_words;
    if (words[at] == 0) continue;  // every record is published by its word 0
    *record = std::span<const std::uint64_t>(words).subspan(at, record_words);
    break;
  }
  return absl::OkStatus();
}

}  // namespace heapledger::collector
