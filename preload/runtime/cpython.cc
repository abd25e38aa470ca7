// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/cpython.h"

#include <dlfcn.h>

namespace heapledger::preload::cpython {
namespace {

constexpr int kLazy = 1;    // RTLD_LAZY
constexpr int kNoLoad = 4;  // RTLD_NOLOAD

// A library that only its loader sees: by its handle, which keeps it loaded.
void* HandleOf(const char* library) {
  if (library[0] == '\0') return RTLD_DEFAULT;
  auto* const open = reinterpret_cast<void* (*)(const char*, int)>(
      dlsym(RTLD_DEFAULT, "dlopen"));
  return open == nullptr ? nullptr : open(library, kLazy | kNoLoad);
}

class Finder {
 public:
  explicit Finder(void* handle) : handle_(handle) {}

  template <typename Pointer>
  void Find(Pointer& pointer, const char* name) {
    void* const found = dlsym(handle_, name);
    if (found == nullptr) all_found_ = false;
    pointer = reinterpret_cast<Pointer>(found);
  }
  [[nodiscard]] bool all_found() const { return all_found_; }

 private:
  void* handle_;
  bool all_found_ = true;
};

std::uint32_t Number(const char** text) {
  std::uint32_t value = 0;
  for (; **text >= '0' && **text <= '9' && value < 1000; ++*text) {
    value = value * 10 + static_cast<std::uint32_t>(**text - '0');
  }
  return value;
}

bool Contains(const char* text, const char* part) {
  for (; *text != '\0'; ++text) {
    std::size_t i = 0;
    while (part[i] != '\0' && text[i] == part[i]) ++i;
    if (part[i] == '\0') return true;
  }
  return false;
}

}  // namespace

Version ParseVersion(const char* text) {
  Version version;
  version.free_threaded = Contains(text, "free-threading");
  version.major = Number(&text);
  if (*text == '.') ++text;
  version.minor = Number(&text);
  if (*text == '.') ++text;
  version.micro = Number(&text);
  return version;
}

bool Api::Resolve(const char* library) {
  void* const handle = HandleOf(library);
  if (library[0] != '\0' && handle == nullptr) return false;
  Finder python(handle);
  python.Find(get_version, "Py_GetVersion");
  python.Find(is_initialized, "Py_IsInitialized");
  python.Find(save_thread, "PyEval_SaveThread");
  python.Find(restore_thread, "PyEval_RestoreThread");
  python.Find(gil_ensure, "PyGILState_Ensure");
  python.Find(import, "PyImport_ImportModule");
  python.Find(get_attribute, "PyObject_GetAttrString");
  python.Find(call, "PyObject_Call");
  python.Find(call_object, "PyObject_CallObject");
  python.Find(decref, "Py_DecRef");
  python.Find(incref, "Py_IncRef");
  python.Find(clear_error, "PyErr_Clear");
  python.Find(new_function, "PyCFunction_NewEx");
  python.Find(new_capsule, "PyCapsule_New");
  python.Find(new_tuple, "PyTuple_New");
  python.Find(set_tuple_item, "PyTuple_SetItem");
  python.Find(new_long, "PyLong_FromLong");
  python.Find(new_dict, "PyDict_New");
  python.Find(set_item, "PyDict_SetItemString");
  python.Find(get_item, "PyDict_GetItem");
  python.Find(intern, "PyUnicode_InternFromString");
  python.Find(compare_text, "PyUnicode_CompareWithASCIIString");
  python.Find(list_size, "PyList_Size");
  python.Find(list_item, "PyList_GetItem");
  python.Find(list_append, "PyList_Append");
  python.Find(contains, "PySequence_Contains");
  python.Find(tuple_size, "PyTuple_Size");
  python.Find(tuple_item, "PyTuple_GetItem");
  python.Find(as_long, "PyLong_AsLong");
  python.Find(type_of, "PyObject_Type");
  python.Find(is_true, "PyObject_IsTrue");
  python.Find(none, "_Py_NoneStruct");
  python.Find(debug_malloc_stats, "_PyObject_DebugMallocStats");
  Finder libc(RTLD_DEFAULT);
  libc.Find(fmemopen, "fmemopen");
  libc.Find(fclose, "fclose");
  if (!python.all_found() || !libc.all_found()) return false;
  const Version version = ParseVersion(get_version());
  disable_collector = nullptr;
  enable_collector = nullptr;
  visit_objects = nullptr;
  if (version.major == 3 && version.minor >= 10) {
    python.Find(disable_collector, "PyGC_Disable");
    python.Find(enable_collector, "PyGC_Enable");
  }
  if (version.major == 3 && version.minor >= 12) {
    python.Find(visit_objects, "PyUnstable_GC_VisitObjects");
  }
  return python.all_found();
}

bool LooksRight(const Api& api) {
  Object* const type = api.type_of(api.none);
  if (type == nullptr) return false;
  const auto address = reinterpret_cast<std::uint64_t>(type);
  bool right = TypeOf(api.none) == address;
  if (right) {
    const char* const name = NameOf(address);
    constexpr char kExpected[] = "NoneType";
    for (std::size_t i = 0; right && i < sizeof kExpected; ++i) {
      right = name[i] == kExpected[i];
    }
  }
  api.decref(type);
  return right;
}

}  // namespace heapledger::preload::cpython
