// SPDX-License-Identifier: Apache-2.0
// Turns the records of a ledger into SnapshotTables and follows their growth:
// what was read once is not read again, and indexes stay as they are.
//
// Records that say the same are merged here: the writer lets two threads intern
// one frame, node or callsite twice rather than make either wait.
//
// Thread safety: one thread at a time; tables handed out are not touched again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "collector/shm/code_book.h"
#include "collector/shm/extent_map.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class TableBuilder {
 public:
  TableBuilder();

  // Reads what was published since the last call.
  // REQUIRES: called after the counters were read, so that every callsite that
  // they book is published.
  absl::Status Update(const MappedLedger& file);

  // The callsite that takes counts which belong to no published record.
  std::uint32_t OverflowIndex();

  [[nodiscard]] std::shared_ptr<const SnapshotTables> tables() const {
    return tables_;
  }
  // Callsite id -> index into tables()->callsites.
  [[nodiscard]] const absl::flat_hash_map<std::uint32_t, std::uint32_t>&
  index_of_callsite() const {
    return index_of_callsite_;
  }
  [[nodiscard]] std::uint64_t corrupt_records() const {
    return corrupt_ + codes_.corrupt_records();
  }
  // The tag of what had no room for one of its own, or whose own is not there.
  std::uint32_t OtherTagIndex();
  // Tag id -> index into tables()->tags.
  [[nodiscard]] const absl::flat_hash_map<std::uint32_t, std::uint32_t>&
  index_of_tag() const {
    return index_of_tag_;
  }
  // A number that no other builder of this process has.
  [[nodiscard]] std::uint64_t lineage() const { return lineage_; }

 private:
  struct NewCallsite {
    CallsiteInfo info;
    std::uint32_t node = 0;
  };
  // Chunk number -> its words, copies of all extents that claim it.
  using ChunkCache = absl::flat_hash_map<std::uint32_t, std::vector<Words>>;
  // A node once it was read: stacks share most of their nodes, so that a look
  // costs an array's.
  struct Step {
    std::uint32_t frame = kUnread;  // index
    std::uint32_t parent = 0;
  };
  static constexpr std::uint32_t kUnread = UINT32_MAX;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  absl::Status ReadCallsites(const MappedLedger& file,
                             std::vector<NewCallsite>* fresh);
  absl::Status ReadModules(const MappedLedger& file);
  void LearnModule(std::uint32_t id, std::span<const std::uint64_t> record);
  absl::Status AddCallsite(const MappedLedger& file, NewCallsite callsite);
  absl::Status ReadTags(const MappedLedger& file);
  std::uint32_t TagIndex(std::uint32_t id);
  [[nodiscard]] bool IsShim(std::uint32_t frame) const;
  absl::Status WalkStack(const MappedLedger& file, std::uint32_t node,
                         std::vector<std::uint32_t>* frames);
  // Null where no extent has the node.
  Step* StepOf(std::uint32_t node);
  // Leaves `step` as it is where the node or its frame is not to be had.
  absl::Status ReadStep(const MappedLedger& file, std::uint32_t node,
                        Step* step);
  absl::StatusOr<std::uint64_t> NodeWord(const MappedLedger& file,
                                         std::uint32_t id);
  absl::StatusOr<std::optional<std::uint32_t>> FrameIndex(
      const MappedLedger& file, std::uint32_t id);
  std::uint32_t InternFrame(std::uint64_t pc, std::uint32_t module_id,
                            std::uint32_t flags);
  // One record out of a chunk; empty where it is not published.
  absl::Status FetchRecord(const MappedLedger& file, ledger::ExtentKind kind,
                           std::uint32_t id, std::uint32_t per_chunk,
                           std::size_t record_words, ChunkCache* cache,
                           std::span<const std::uint64_t>* record);
  FrameInfo PythonFrame(std::uint64_t word);
  SnapshotTables& Mutable();

  std::uint64_t lineage_;
  std::shared_ptr<SnapshotTables> tables_;
  ExtentMap extents_;
  // By chunk of nodes; and the chunk that was asked for last.
  absl::flat_hash_map<std::uint32_t, std::vector<Step>> steps_;
  std::uint32_t last_chunk_ = UINT32_MAX;
  std::span<Step> last_steps_;
  std::vector<std::uint32_t> stack_;  // of the callsite that is being added
  std::vector<bool> shim_modules_;    // by module index
  CodeBook codes_;
  ChunkCache nodes_;   // of this Update only
  ChunkCache frames_;  // the same
  absl::flat_hash_map<std::uint32_t, Words> module_chunks_;  // by page
  absl::flat_hash_map<std::uint32_t, std::uint32_t> index_of_module_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> index_of_tag_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> index_of_frame_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> index_of_callsite_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> known_in_chunk_;
  absl::flat_hash_map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t>
      frame_by_content_;
  // By hash of the stack the callsite found last, and by callsite index the one
  // before it.
  absl::flat_hash_map<std::uint64_t, std::uint32_t> callsite_by_hash_;
  std::vector<std::uint32_t> same_hash_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace heapledger::collector
