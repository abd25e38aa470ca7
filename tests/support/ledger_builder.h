// SPDX-License-Identifier: Apache-2.0
// Writes ledgers by the ABI alone, without the shim: what the reader's tests
// know the answer to. Ids are given out from 1 (callsites from kFirstCallsite).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "heapledger/ledger/layout.h"

namespace heapledger::testing {

class LedgerBuilder {
 public:
  explicit LedgerBuilder(std::uint64_t cap_bytes = 2ULL << 20);

  ledger::Header& header();
  ledger::ShardHeader& shard(std::uint32_t index);
  ledger::Extent& extent(std::uint32_t index);

  std::uint32_t AddModule(std::string_view path, std::uint64_t load_bias,
                          std::string_view build_id = "\x01\x02");
  std::uint32_t AddFrame(std::uint64_t pc, std::uint32_t module,
                         std::uint32_t flags = 0);
  std::uint32_t AddCode(std::string_view name, std::string_view file,
                        std::uint32_t first_line);
  // Always a new node, also where an equal one exists.
  std::uint32_t AddNode(std::uint32_t parent, std::uint32_t frame);
  // `frames` innermost first; shares no nodes.
  std::uint32_t AddStack(const std::vector<std::uint32_t>& frames);
  std::uint32_t AddCallsite(std::uint32_t node, std::uint32_t flags = 0);
  // A callsite with a stack of one frame in a module of its own name.
  std::uint32_t AddSimpleCallsite(std::uint64_t pc);

  void Allocate(std::uint32_t callsite, std::uint32_t shard,
                std::uint64_t bytes, std::uint64_t objects);
  void Free(std::uint32_t callsite, std::uint32_t shard, std::uint64_t bytes,
            std::uint64_t objects);
  ledger::CounterCell& cell(std::uint32_t callsite, std::uint32_t shard);
  ledger::LeakCell& leak(std::uint32_t callsite);
  // Ids are given out from kFirstTag.
  std::uint32_t AddTag(std::string_view name, std::string_view key = "",
                       std::string_view value = "");
  ledger::TagRecord& tag(std::uint32_t id);
  ledger::ScopeCell& scope(std::uint32_t tag, std::uint32_t shard);

  ledger::StackNode& node(std::uint32_t id);
  ledger::FrameRecord& frame(std::uint32_t id);
  ledger::ModuleRecord& module(std::uint32_t id);
  ledger::CallsiteRecord& callsite(std::uint32_t id);
  ledger::CodeRecord& code(std::uint32_t id);

  // Publishes an extent and gives its first page.
  std::uint32_t AddExtent(ledger::ExtentKind kind, std::uint32_t owner,
                          std::uint32_t chunk, std::uint32_t pages);

  [[nodiscard]] std::byte* data() { return bytes_; }
  [[nodiscard]] std::size_t size() const { return words_.size() * 8; }
  // Bytes that any extent or fixed region uses.
  [[nodiscard]] std::size_t used_bytes();

  void WriteTo(const std::string& path);

 private:
  template <typename Record>
  Record& At(std::uint32_t id, std::uint32_t owner = 0);

  std::uint32_t last_code_ = 0;
  std::vector<std::uint64_t> words_;
  std::byte* bytes_;
  std::uint32_t next_tag_ = ledger::kFirstTag;
  // (kind, owner, chunk) -> first page
  std::map<std::tuple<ledger::ExtentKind, std::uint32_t, std::uint32_t>,
           std::uint32_t>
      chunks_;
};

}  // namespace heapledger::testing
