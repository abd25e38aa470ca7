// SPDX-License-Identifier: Apache-2.0
// What a program calls to hear of pressure (include/heapledger/pressure.h).
#include "preload/interpose.h"
#include "preload/pressure.h"

using heapledger::preload::AddListener;
using heapledger::preload::AwaitPressure;
using heapledger::preload::PressureCallback;
using heapledger::preload::RemoveListener;
using heapledger::preload::RunListeners;
using heapledger::preload::Running;
using heapledger::preload::TakePressure;

namespace {
constexpr int kNoShim = -1;
}  // namespace

HEAPLEDGER_EXPORT int heapledger_shim_on_pressure(int least_level,
                                                  PressureCallback callback,
                                                  void* context) {
  return Running() ? AddListener(least_level, callback, context) : kNoShim;
}

HEAPLEDGER_EXPORT int heapledger_shim_off_pressure(int id) {
  return Running() ? static_cast<int>(RemoveListener(id)) : kNoShim;
}

HEAPLEDGER_EXPORT int heapledger_shim_poll_pressure() {
  return Running() ? TakePressure() : kNoShim;
}

HEAPLEDGER_EXPORT int heapledger_shim_wait_pressure(int timeout_ms) {
  return Running() ? AwaitPressure(timeout_ms) : kNoShim;
}

HEAPLEDGER_EXPORT int heapledger_shim_run_pressure_callbacks(int timeout_ms) {
  return Running() ? RunListeners(timeout_ms) : kNoShim;
}
