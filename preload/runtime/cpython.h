// SPDX-License-Identifier: Apache-2.0
// The part of CPython's C API that the helper calls, found by name in the
// program: nothing of Python is included or linked. All of it is documented or
// has been exported unchanged from 3.8 to 3.13.
//
// Thread safety: constant once resolved. Calls follow Python's own rules.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload::cpython {

struct Object;
struct ThreadState;

// PyMethodDef, of the stable ABI.
using FastFunction = Object* (*)(Object* self, Object* const* arguments,
                                 std::ptrdiff_t count);
struct MethodDef {
  const char* name;
  FastFunction function;
  int flags;
  const char* doc;
};
inline constexpr int kFastCall = 0x0080;  // METH_FASTCALL, from 3.7

struct Version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t micro = 0;
  bool free_threaded = false;

  [[nodiscard]] std::uint32_t Packed() const {
    return major << 24 | minor << 16 | micro << 8;
  }
};

// Reads Py_GetVersion()'s text: "3.11.2 (main, …) [GCC …]".
Version ParseVersion(const char* text);

struct Api {
  const char* (*get_version)();
  int (*is_initialized)();

  ThreadState* (*save_thread)();
  void (*restore_thread)(ThreadState*);
  int (*gil_ensure)();

  Object* (*import)(const char* name);
  Object* (*get_attribute)(Object*, const char* name);
  Object* (*call)(Object* callable, Object* arguments, Object* keywords);
  Object* (*call_object)(Object* callable, Object* arguments);
  void (*decref)(Object*);
  void (*incref)(Object*);
  void (*clear_error)();

  Object* (*new_function)(MethodDef*, Object* self, Object* module);
  Object* (*new_capsule)(void* pointer, const char* name,
                         void (*destructor)(Object*));
  Object* (*new_tuple)(std::ptrdiff_t size);
  int (*set_tuple_item)(Object*, std::ptrdiff_t, Object*);  // takes it over
  Object* (*new_long)(long);
  Object* (*new_dict)();
  int (*set_item)(Object* dict, const char* key, Object* value);
  Object* (*get_item)(Object* dict, Object* key);
  Object* (*intern)(const char* text);
  int (*compare_text)(Object* text, const char* with);
  std::ptrdiff_t (*list_size)(Object*);
  Object* (*list_item)(Object*, std::ptrdiff_t);
  int (*list_append)(Object*, Object*);
  int (*contains)(Object* sequence, Object*);
  std::ptrdiff_t (*tuple_size)(Object*);
  Object* (*tuple_item)(Object*, std::ptrdiff_t);
  long (*as_long)(Object*);
  Object* (*type_of)(Object*);
  int (*is_true)(Object*);
  Object* none;

  int (*debug_malloc_stats)(void* file);
  // From 3.10 on; null before.
  int (*disable_collector)();
  int (*enable_collector)();
  // From 3.12 on; null before.
  void (*visit_objects)(int (*visit)(Object*, void*), void* argument);

  // Of libc: a FILE is what debug_malloc_stats() writes to.
  void* (*fmemopen)(void* buffer, std::size_t size, const char* mode);
  int (*fclose)(void* file);

  // Looks all of it up; false where something is missing. `library` is the
  // path of a libpython that was loaded for somebody alone, or empty. May take
  // the loader's lock and allocate: for the helper's thread.
  bool Resolve(const char* library);
};

// The type of an object and the name of a type, by the fixed beginnings of
// PyObject and PyTypeObject; see LooksRight().
inline std::uint64_t TypeOf(const Object* object) {
  return *reinterpret_cast<const std::uint64_t*>(
      reinterpret_cast<const std::byte*>(object) + 8);
}
inline const char* NameOf(std::uint64_t type) {
  return *reinterpret_cast<const char* const*>(type + 24);
}

// Whether both hold here: asked of None, through the API. GIL held.
bool LooksRight(const Api& api);

}  // namespace heapledger::preload::cpython
