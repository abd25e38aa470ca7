// SPDX-License-Identifier: Apache-2.0
// The last look at interpreters from outside: their watch publishes, scrapes
// read.
//
// Thread safety: any thread.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "collector/python/watch.h"

namespace heapledger::collector {

class PythonSource {
 public:
  void Publish(std::shared_ptr<const python::View> view) {
    const std::lock_guard lock(mutex_);
    view_ = std::move(view);
  }

  // Never null; empty before the first look.
  [[nodiscard]] std::shared_ptr<const python::View> view() const {
    const std::lock_guard lock(mutex_);
    return view_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const python::View> view_ =
      std::make_shared<const python::View>();
};

}  // namespace heapledger::collector
