// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/bounded_demangler.h"

#include <libiberty/demangle.h>
#include <setjmp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace heapledger::symbolizer {
namespace {

// For C++, libiberty's limit on recursion refuses every name of more than 1024
// characters; ours is on the length, and without references there it recurses
// no deeper than the name is long. What it prints may nest 1024 deep all the
// same. For Rust the limit is what ends references to themselves.
constexpr int kRustOptions = DMGL_PARAMS | DMGL_TYPES;
constexpr int kCxxOptions = kRustOptions | DMGL_NO_RECURSE_LIMIT;

// The demangler of D has no callback, so nothing can stop it on its way: each
// back reference may double the text.
constexpr std::ptrdiff_t kMaxDReferences = 10;
constexpr std::size_t kMaxDName = 2048;

// Where the demanglers' text goes, piece by piece. Each piece costs time too,
// be it empty.
struct Sink {
  jmp_buf stop;
  std::string text;
  std::size_t pieces = 0;
};

void Put(const char* piece, std::size_t size, void* opaque) {
  auto* sink = static_cast<Sink*>(opaque);
  if (size > BoundedDemangler::kMaxOutput - sink->text.size() ||
      ++sink->pieces > BoundedDemangler::kMaxOutput) {
    // The only way to stop them. They keep their state on the stack, all but
    // the one identifier with characters outside ASCII that Rust's may just be
    // writing, which then leaks.
    longjmp(sink->stop, 1);
  }
  sink->text.append(piece, size);
}

using CallbackDemangler = int (*)(const char*, int, demangle_callbackref,
                                  void*);

// Nothing in this frame needs a destructor: longjmp would skip it.
bool Run(CallbackDemangler demangle, int options, const char* name,
         Sink* sink) {
  if (setjmp(sink->stop) != 0) return false;
  return demangle(name, options, Put, sink) != 0;
}

std::optional<std::string> RunBounded(CallbackDemangler demangle, int options,
                                      const std::string& name) {
  if (name.size() > BoundedDemangler::kMaxLinkageName) return std::nullopt;
  Sink sink;
  if (!Run(demangle, options, name.c_str(), &sink) || sink.text.empty()) {
    return std::nullopt;
  }
  return std::move(sink.text);
}

struct FreeDeleter {
  void operator()(char* p) const { std::free(p); }
};

}  // namespace

std::optional<std::string> BoundedDemangler::Cxx(const std::string& name) {
  if (!name.starts_with("_Z")) return std::nullopt;
  return RunBounded(cplus_demangle_v3_callback, kCxxOptions, name);
}

std::optional<std::string> BoundedDemangler::Rust(const std::string& name) {
  return RunBounded(rust_demangle_callback, kRustOptions, name);
}

std::optional<std::string> BoundedDemangler::D(const std::string& name) {
  // The program's entry is "_Dmain".
  if (!name.starts_with("_D") || name.size() > kMaxDName ||
      std::count(name.begin(), name.end(), 'Q') > kMaxDReferences) {
    return std::nullopt;
  }
  const std::unique_ptr<char, FreeDeleter> text(
      dlang_demangle(name.c_str(), DMGL_PARAMS | DMGL_DLANG));
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::string(text.get());
}

}  // namespace heapledger::symbolizer
