// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/gc_watch.h"

#include <atomic>

#include "preload/lifecycle.h"
#include "preload/raw_io.h"

namespace heapledger::preload {
namespace {

using cpython::Api;
using cpython::Object;

// Wiped in a forked child, which must not write into its parent's ledger.
struct alignas(4096) WatchPage {
  std::atomic<ledger::PythonRecord*> record{nullptr};
};
constinit WatchPage g_page;

// Set once, before the callbacks are known to anybody.
constinit const Api* g_api = nullptr;
constinit Object* g_generation = nullptr;  // the keys of the callback's dict
constinit Object* g_collected = nullptr;
constinit Object* g_uncollectable = nullptr;
using Notice = void (*)();
constinit Notice g_in_child = nullptr;
constinit Notice g_finalized = nullptr;

// When the collection under way began. Collections do not nest.
constinit std::uint64_t g_begin_ns = 0;
// The program took the callback out of the list.
constinit bool g_removed = false;

Object* None() {
  g_api->incref(g_api->none);
  return g_api->none;
}

std::uint64_t NumberIn(Object* facts, Object* key) {
  Object* const value = g_api->get_item(facts, key);  // borrowed
  const long number = value == nullptr ? 0 : g_api->as_long(value);
  return number < 0 ? 0 : static_cast<std::uint64_t>(number);
}

void OnStop(ledger::PythonRecord* record, Object* facts) {
  const std::uint64_t begin = g_begin_ns;
  g_begin_ns = 0;
  // Put in place in the midst of a collection.
  if (begin == 0) return;
  const std::uint64_t now = raw::FineNs();
  PythonBook(record).AddCollection(
      static_cast<std::uint32_t>(NumberIn(facts, g_generation)),
      NumberIn(facts, g_collected), NumberIn(facts, g_uncollectable),
      now - begin);
  auto& cost = record->cost.callback_ns;
  cost.store(cost.load(std::memory_order_relaxed) + raw::FineNs() - now,
             std::memory_order_relaxed);
}

// callback(phase, info). Python has no exception pending when it calls, and
// none of what is called here raises one for what Python gives.
Object* OnCollection(Object*, Object* const* arguments, std::ptrdiff_t count) {
  ledger::PythonRecord* const record =
      g_page.record.load(std::memory_order_acquire);
  if (record == nullptr || count != 2) return None();
  if (g_api->compare_text(arguments[0], "start") == 0) {
    g_begin_ns = raw::FineNs();
  } else if (g_api->compare_text(arguments[0], "stop") == 0) {
    OnStop(record, arguments[1]);
  }
  return None();
}

Object* OnFork(Object*, Object* const*, std::ptrdiff_t) {
  g_begin_ns = 0;
  g_in_child();
  return None();
}

// The callback is gone, and with it what it held.
void OnCapsuleFreed(Object*) {
  if (g_api->is_initialized() != 0) {
    g_removed = true;
  } else {
    g_finalized();
  }
}

constinit cpython::MethodDef g_collection_method = {
    "heapledger_gc_watch", OnCollection, cpython::kFastCall,
    "Times collections for heapledger."};
constinit cpython::MethodDef g_fork_method = {
    "heapledger_after_fork", OnFork, cpython::kFastCall,
    "Starts heapledger's helper in a forked child."};

bool InternKeys(const Api& api) {
  g_generation = api.intern("generation");
  g_collected = api.intern("collected");
  g_uncollectable = api.intern("uncollectable");
  return g_generation != nullptr && g_collected != nullptr &&
         g_uncollectable != nullptr;
}

// gc.callbacks.append(…). The list alone holds the function, and the function
// a capsule: so we are told when the interpreter ends, or the program empties
// the list.
bool AddCallback(const Api& api) {
  Object* const gc = api.import("gc");
  if (gc == nullptr) return false;
  Object* const callbacks = api.get_attribute(gc, "callbacks");
  api.decref(gc);
  if (callbacks == nullptr) return false;
  static char named;
  Object* const capsule = api.new_capsule(&named, nullptr, OnCapsuleFreed);
  Object* const callback =
      capsule == nullptr
          ? nullptr
          : api.new_function(&g_collection_method, capsule, nullptr);
  const bool added =
      callback != nullptr && api.list_append(callbacks, callback) == 0;
  if (capsule != nullptr) api.decref(capsule);
  if (callback != nullptr) api.decref(callback);
  api.decref(callbacks);
  return added;
}

// os.register_at_fork(after_in_child=…).
bool AddForkHook(const Api& api) {
  Object* const posix = api.import("posix");
  if (posix == nullptr) return false;
  Object* const add = api.get_attribute(posix, "register_at_fork");
  api.decref(posix);
  if (add == nullptr) return false;
  Object* const hook = api.new_function(&g_fork_method, nullptr, nullptr);
  Object* const keywords = api.new_dict();
  Object* const nothing = api.new_tuple(0);
  Object* result = nullptr;
  if (hook != nullptr && keywords != nullptr && nothing != nullptr &&
      api.set_item(keywords, "after_in_child", hook) == 0) {
    result = api.call(add, nothing, keywords);
  }
  for (Object* const object : {add, hook, keywords, nothing}) {
    if (object != nullptr) api.decref(object);
  }
  if (result == nullptr) return false;
  api.decref(result);
  return true;
}

}  // namespace

bool GcWatch::Install(const Api& api, void (*in_child)(), void (*finalized)()) {
  g_api = &api;
  g_in_child = in_child;
  g_finalized = finalized;
  if (!raw::WipeOnFork(&g_page, sizeof g_page)) return false;
  if (InternKeys(api) && AddForkHook(api) && AddCallback(api)) return true;
  api.clear_error();
  return false;
}

void GcWatch::SetBook(ledger::PythonRecord* record) {
  // Release: pairs with the acquire in OnCollection().
  g_page.record.store(record, std::memory_order_release);
}

void GcWatch::Keep(const Api& api) {
  if (!g_removed) return;
  g_removed = false;
  if (!AddCallback(api)) api.clear_error();
}

}  // namespace heapledger::preload
