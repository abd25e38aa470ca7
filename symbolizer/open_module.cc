// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/open_module.h"

#include <optional>
#include <utility>

namespace heapledger::symbolizer {
namespace {

// A file is written anew each time: so that the cost stays in proportion, it
// must have grown by an eighth.
constexpr std::size_t kGrowthShare = 8;

}  // namespace

void OpenModule::Open(const ModuleRef& ref, const Options& options,
                      Debuginfod* debuginfod, const NameCache* cache) {
  module_ = std::make_unique<Module>(ref, options, debuginfod);
  build_id_ = ref.build_id;
  const std::string identity = module_->identity();
  remembers_ = cache != nullptr && !identity.empty();
  if (!remembers_) return;
  known_.identity = identity;
  if (std::optional<NameTable> stored = cache->Load(build_id_, identity)) {
    known_ = *std::move(stored);
    from_disk_ = true;
  }
}

void OpenModule::Close() {
  module_.reset();
  known_ = {};
  fresh_ = 0;
  from_disk_ = false;
}

std::vector<Frame> OpenModule::Resolve(std::uint64_t address) {
  if (!remembers_) return module_->Resolve(address);
  const auto known = known_.names.find(address);
  if (known != known_.names.end()) return known->second;
  std::vector<Frame> frames = module_->Resolve(address);
  from_disk_ = false;
  known_.names.emplace(address, frames);
  ++fresh_;
  return frames;
}

bool OpenModule::IsWorthStoring() const {
  return fresh_ > 0 && fresh_ >= known_.names.size() / kGrowthShare;
}

void OpenModule::Store(const NameCache& cache) {
  // Reading it may have shown that it is not to be relied on.
  if (fresh_ == 0 || module_->identity().empty()) return;
  known_.reason = static_cast<std::uint8_t>(module_->reason());
  known_.detail = module_->detail();
  known_.debug_file = module_->debug_file();
  cache.Store(build_id_, known_);
  fresh_ = 0;
}

void OpenModule::UpdateStats(Stats& stats) const {
  ModuleStats& entry = stats.modules[stats_index_];
  if (from_disk_) {
    entry.reason = static_cast<Reason>(known_.reason);
    entry.detail = known_.detail;
    entry.debug_file = known_.debug_file;
  } else {
    entry.reason = module_->reason();
    entry.detail = module_->detail();
    entry.debug_file = module_->debug_file();
  }
}

}  // namespace heapledger::symbolizer
