// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/naming.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// Exact names. The C library's are what a program calls to get a block that it
// must free itself, and so are the allocators of CPython and GLib; what only
// allocates inside (fopen) is no plumbing.
constexpr std::array<std::string_view, 60> kPlumbing = {
    "PyMem_Calloc",     "PyMem_Malloc",     "PyMem_RawCalloc",
    "PyMem_RawMalloc",  "PyMem_RawRealloc", "PyMem_Realloc",
    "PyObject_Calloc",  "PyObject_Malloc",  "PyObject_Realloc",
    "_PyMem_RawCalloc", "_PyMem_RawMalloc", "_PyMem_RawRealloc",
    "_PyObject_Calloc", "_PyObject_Malloc", "_PyObject_Realloc",
    "__libc_calloc",    "__libc_malloc",    "__libc_memalign",
    "__libc_realloc",   "__strdup",         "__strndup",
    "_int_malloc",      "aligned_alloc",    "asprintf",
    "calloc",           "g_malloc",         "g_malloc0",
    "g_malloc0_n",      "g_malloc_n",       "g_memdup2",
    "g_realloc",        "g_realloc_n",      "g_slice_alloc",
    "g_slice_alloc0",   "g_strdup",         "g_strndup",
    "g_try_malloc",     "getdelim",         "getline",
    "je_calloc",        "je_malloc",        "je_realloc",
    "malloc",           "memalign",         "posix_memalign",
    "pvalloc",          "realloc",          "reallocarray",
    "strdup",           "strndup",          "valloc",
    "vasprintf",        "wcsdup",           "xcalloc",
    "xmalloc",          "xmemdup",          "xrealloc",
    "xstrdup",          "xstrndup",         "xzalloc",
};
static_assert(std::ranges::is_sorted(kPlumbing));

// Beginnings of demangled names: templates of the C++ library that hold memory
// for somebody, the operators, and our own exports.
constexpr std::string_view kPlumbingPrefixes[] = {
    "operator new",          "std::",          "__gnu_cxx::",
    "heapledger::preload::", "__interceptor_",
};

constexpr std::string_view kAllocatorModules[] = {
    "libheapledger.so", "libjemalloc.so", "libtcmalloc.so",
    "libtcmalloc_minimal.so", "libmimalloc.so"};

// The interpreter, as executable or library, and what ctypes calls through.
constexpr std::string_view kInterpreterModules[] = {"libpython", "python",
                                                    "libffi.so", "_ctypes."};

// A demangled function template begins with its return type:
// "void std::vector<…>::_M_realloc_insert<…>(…)".
std::string_view WithoutReturnType(std::string_view function) {
  int depth = 0;
  for (std::size_t i = 0; i < function.size(); ++i) {
    const char c = function[i];
    if (c == '(' && depth == 0) break;
    if (c == '<') ++depth;
    if (c == '>') --depth;
    if (c != ' ' || depth != 0) continue;
    // "operator new" holds a blank that ends no type.
    if (function.substr(0, i).ends_with("operator")) break;
    return WithoutReturnType(function.substr(i + 1));
  }
  return function;
}

std::string_view WithoutVersion(std::string_view name) {
  return name.substr(0, name.find('@'));
}

}  // namespace

std::string CallsiteName::Location() const {
  if (file.empty()) return module;
  return line == 0 ? file : absl::StrCat(file, ":", line);
}

std::string_view BaseName(std::string_view path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path.substr(path.find_last_of('/') + 1);
}

bool IsAllocatorPlumbing(const ResolvedFrame& frame) {
  if (frame.python) return false;
  const std::string_view module = frame.module;
  for (const std::string_view allocator : kAllocatorModules) {
    if (module.starts_with(allocator)) return true;
  }
  std::string_view name = WithoutReturnType(frame.function);
  for (const std::string_view prefix : kPlumbingPrefixes) {
    if (name.starts_with(prefix)) return true;
  }
  name = WithoutVersion(name.substr(0, name.find('(')));
  return std::ranges::binary_search(kPlumbing, name);
}

bool IsInterpreterPlumbing(const ResolvedFrame& frame) {
  if (frame.python) return false;
  return std::ranges::any_of(kInterpreterModules,
                             [&frame](std::string_view beginning) {
                               return frame.module.starts_with(beginning);
                             });
}

NamingFrame FindNamingFrame(const LedgerSnapshot& snapshot,
                            const CallsiteInfo& callsite, FrameNames& names) {
  const std::span<const std::uint32_t> stack = snapshot.stack(callsite);
  const auto is_python = [&snapshot](std::uint32_t frame) {
    return snapshot.tables->frames[frame].is_python();
  };
  // What lies inside of the outermost Python frame, on whose behalf the
  // interpreter works.
  const auto outside =
      std::find_if(stack.rbegin(), stack.rend(), is_python).base();
  NamingFrame last;
  for (auto at = stack.begin(); at != stack.end(); ++at) {
    for (const ResolvedFrame& function : names.Resolve(snapshot, *at)) {
      last = {*at, &function, false};
      if (!IsAllocatorPlumbing(function) &&
          !(at < outside && IsInterpreterPlumbing(function))) {
        return last;
      }
    }
  }
  last.is_plumbing = true;
  return last;
}

CallsiteName NameCallsite(const LedgerSnapshot& snapshot,
                          const CallsiteInfo& callsite, FrameNames& names) {
  if (callsite.overflow) return {"[overflow]", "", "", 0};
  const NamingFrame found = FindNamingFrame(snapshot, callsite, names);
  if (found.function == nullptr) return {"[no stack]", "", "", 0};
  const ResolvedFrame& resolved = *found.function;
  CallsiteName name{resolved.function, resolved.module, resolved.file,
                    resolved.line};
  if (name.function.empty()) {
    name.function =
        absl::StrCat(resolved.module, "+0x", absl::Hex(resolved.rel_pc));
  }
  return name;
}

}  // namespace heapledger::collector
