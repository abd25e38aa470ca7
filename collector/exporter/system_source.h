// SPDX-License-Identifier: Apache-2.0
// The last look at the system: its sampler publishes, scrapes read.
//
// Thread safety: any thread.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "collector/system/system_view.h"

namespace heapledger::collector {

class SystemSource {
 public:
  void Publish(std::shared_ptr<const SystemView> view) {
    const std::lock_guard lock(mutex_);
    view_ = std::move(view);
  }

  // Never null; taken at 0 before the first look.
  [[nodiscard]] std::shared_ptr<const SystemView> view() const {
    const std::lock_guard lock(mutex_);
    return view_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const SystemView> view_ =
      std::make_shared<const SystemView>();
};

}  // namespace heapledger::collector
