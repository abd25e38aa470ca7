// SPDX-License-Identifier: Apache-2.0
// LeakSanitizer's interface (sanitizer/lsan_interface.h of compiler-rt), as far
// as it is about what is no leak. Where the program carries a sanitizer's own
// runtime we measure nothing, and these calls are its own: passed on.
#include <dlfcn.h>

#include "preload/ignored.h"
#include "preload/interpose.h"

using heapledger::preload::BeginIgnoring;
using heapledger::preload::EndIgnoring;
using heapledger::preload::IgnoreBlock;
using heapledger::preload::Running;

namespace {

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

HEAPLEDGER_EXPORT void __lsan_disable() {
  if (Running()) return BeginIgnoring();
  if (auto* const next = Next<void (*)()>("__lsan_disable")) next();
}

HEAPLEDGER_EXPORT void __lsan_enable() {
  if (Running()) return EndIgnoring();
  if (auto* const next = Next<void (*)()>("__lsan_enable")) next();
}

HEAPLEDGER_EXPORT void __lsan_ignore_object(const void* block) {
  if (Running()) return IgnoreBlock(block);
  if (auto* const next = Next<void (*)(const void*)>("__lsan_ignore_object")) {
    next(block);
  }
}
