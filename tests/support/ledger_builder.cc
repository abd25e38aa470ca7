// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ledger_builder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace heapledger::testing {

using ledger::ExtentKind;

LedgerBuilder::LedgerBuilder(std::uint64_t cap_bytes)
    : words_(cap_bytes / 8),
      bytes_(reinterpret_cast<std::byte*>(words_.data())) {
  ledger::Header& h = header();
  h.magic = ledger::kMagic;
  h.abi_version = ledger::kAbiVersion;
  h.header_bytes = sizeof(ledger::Header);
  h.cap_bytes = cap_bytes;
  h.pid = 4242;
  h.uid = 1000;
  h.start_time_ticks = 987654;
  h.created_realtime_ns = 1'700'000'000'000'000'000;
  h.created_monotonic_ns = 1'000'000'000;
  std::strcpy(h.boot_id, "11111111-2222-3333-4444-555555555555");
  std::strcpy(h.shim_version, "0.1.0");
  std::strcpy(h.comm, "orders");
  std::strcpy(h.exe, "/usr/bin/orders");
  h.max_depth = ledger::kDefaultStackDepth;
  h.state = static_cast<std::uint32_t>(ledger::State::kLive);
  h.next_page = ledger::kFirstDataPage;
  h.module_end = 1;
  h.frame_end = 1;
  h.node_end = 1;
  h.callsite_end = ledger::kFirstCallsite;
}

ledger::Header& LedgerBuilder::header() {
  return *reinterpret_cast<ledger::Header*>(bytes_);
}

ledger::ShardHeader& LedgerBuilder::shard(std::uint32_t index) {
  return reinterpret_cast<ledger::ShardHeader*>(
      bytes_ + ledger::kShardPage * ledger::kPageBytes)[index];
}

ledger::Extent& LedgerBuilder::extent(std::uint32_t index) {
  return reinterpret_cast<ledger::Extent*>(
      bytes_ + ledger::kExtentPage * ledger::kPageBytes)[index];
}

std::uint32_t LedgerBuilder::AddExtent(ExtentKind kind, std::uint32_t owner,
                                       std::uint32_t chunk,
                                       std::uint32_t pages) {
  const std::uint32_t page = header().next_page.fetch_add(pages);
  if ((page + pages) * std::size_t{ledger::kPageBytes} > size()) std::abort();
  ledger::Extent& e = extent(header().extent_count++);
  e.chunk = chunk;
  e.page = page;
  e.pages = pages;
  e.kind_owner = static_cast<std::uint32_t>(kind) | (owner << 8);
  return page;
}

template <typename Record>
Record& LedgerBuilder::At(std::uint32_t id, std::uint32_t owner) {
  constexpr std::uint32_t kPerChunk = ledger::kRecordsPerChunk<Record>;
  constexpr ExtentKind kKind = ledger::Chunking<Record>::kKind;
  const std::uint32_t chunk = id / kPerChunk;
  const auto [place, added] = chunks_.try_emplace({kKind, owner, chunk}, 0);
  if (added) {
    place->second =
        AddExtent(kKind, owner, chunk, ledger::Chunking<Record>::kPages);
  }
  return reinterpret_cast<Record*>(
      bytes_ + std::size_t{place->second} * ledger::kPageBytes)[id % kPerChunk];
}

ledger::StackNode& LedgerBuilder::node(std::uint32_t id) {
  return At<ledger::StackNode>(id);
}
ledger::FrameRecord& LedgerBuilder::frame(std::uint32_t id) {
  return At<ledger::FrameRecord>(id);
}
ledger::ModuleRecord& LedgerBuilder::module(std::uint32_t id) {
  return At<ledger::ModuleRecord>(id);
}
ledger::CallsiteRecord& LedgerBuilder::callsite(std::uint32_t id) {
  return At<ledger::CallsiteRecord>(id);
}
ledger::CounterCell& LedgerBuilder::cell(std::uint32_t callsite,
                                         std::uint32_t shard) {
  return At<ledger::CounterCell>(callsite, shard);
}

ledger::LeakCell& LedgerBuilder::leak(std::uint32_t callsite) {
  return At<ledger::LeakCell>(callsite);
}

ledger::TagRecord& LedgerBuilder::tag(std::uint32_t id) {
  return At<ledger::TagRecord>(id);
}

ledger::ScopeCell& LedgerBuilder::scope(std::uint32_t tag_id,
                                        std::uint32_t shard_id) {
  return At<ledger::ScopeCell>(tag_id, shard_id);
}

std::uint32_t LedgerBuilder::AddTag(std::string_view name, std::string_view key,
                                    std::string_view value) {
  const std::uint32_t id = next_tag_++;
  ledger::TagRecord& t = tag(id);
  std::memcpy(t.name, name.data(), name.size());
  if (!key.empty()) {
    t.label_count = 1;
    std::memcpy(t.labels[0].key, key.data(), key.size());
    std::memcpy(t.labels[0].value, value.data(), value.size());
  }
  t.published = 1;
  return id;
}

std::uint32_t LedgerBuilder::AddModule(std::string_view path,
                                       std::uint64_t load_bias,
                                       std::string_view build_id) {
  const std::uint32_t id = header().module_end++;
  ledger::ModuleRecord& m = module(id);
  m.path_bytes = static_cast<std::uint32_t>(path.size());
  std::memcpy(m.path, path.data(), path.size());
  m.load_bias = load_bias;
  m.start = load_bias;
  m.end = load_bias + 0x100000;
  m.build_id_bytes = static_cast<std::uint32_t>(build_id.size());
  std::memcpy(m.build_id, build_id.data(), build_id.size());
  m.state = static_cast<std::uint32_t>(ledger::ModuleState::kLoaded);
  return id;
}

std::uint32_t LedgerBuilder::AddFrame(std::uint64_t pc, std::uint32_t module,
                                      std::uint32_t flags) {
  const std::uint32_t id = header().frame_end++;
  ledger::FrameRecord& f = frame(id);
  f.module = module;
  f.flags = flags;
  f.pc = pc;
  return id;
}

ledger::CodeRecord& LedgerBuilder::code(std::uint32_t id) {
  return At<ledger::CodeRecord>(id);
}

std::uint32_t LedgerBuilder::AddCode(std::string_view name,
                                     std::string_view file,
                                     std::uint32_t first_line) {
  const std::uint32_t id = ++last_code_;
  ledger::CodeRecord& c = code(id);
  c.first_line = first_line;
  c.name_bytes = static_cast<std::uint16_t>(name.size());
  c.file_bytes = static_cast<std::uint16_t>(file.size());
  std::memcpy(c.text, name.data(), name.size());
  std::memcpy(c.text + name.size(), file.data(), file.size());
  c.published = 1;
  return id;
}

std::uint32_t LedgerBuilder::AddNode(std::uint32_t parent,
                                     std::uint32_t frame_id) {
  const std::uint32_t id = header().node_end++;
  node(id).parent_frame = ledger::StackNode::Pack(parent, frame_id);
  return id;
}

std::uint32_t LedgerBuilder::AddStack(
    const std::vector<std::uint32_t>& frames) {
  std::uint32_t at = 0;
  for (auto it = frames.rbegin(); it != frames.rend(); ++it) {
    at = AddNode(at, *it);
  }
  return at;
}

std::uint32_t LedgerBuilder::AddCallsite(std::uint32_t node_id,
                                         std::uint32_t flags) {
  const std::uint32_t id = header().callsite_end++;
  ledger::CallsiteRecord& c = callsite(id);
  c.node = node_id;
  c.flags = flags;
  c.published = 1;
  return id;
}

std::uint32_t LedgerBuilder::AddSimpleCallsite(std::uint64_t pc) {
  return AddCallsite(AddStack({AddFrame(pc, 0)}));
}

void LedgerBuilder::Allocate(std::uint32_t callsite_id, std::uint32_t shard_id,
                             std::uint64_t bytes, std::uint64_t objects) {
  ledger::CounterCell& c = cell(callsite_id, shard_id);
  c.allocated_bytes += bytes;
  c.allocated_objects += objects;
}

void LedgerBuilder::Free(std::uint32_t callsite_id, std::uint32_t shard_id,
                         std::uint64_t bytes, std::uint64_t objects) {
  ledger::CounterCell& c = cell(callsite_id, shard_id);
  c.freed_bytes += bytes;
  c.freed_objects += objects;
}

std::size_t LedgerBuilder::used_bytes() {
  return std::size_t{header().next_page.load()} * ledger::kPageBytes;
}

void LedgerBuilder::WriteTo(const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes_),
             static_cast<std::streamsize>(size()));
  if (!file.good()) std::abort();
}

}  // namespace heapledger::testing
