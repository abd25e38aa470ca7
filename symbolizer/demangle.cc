// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "symbolizer/bounded_demangler.h"

namespace heapledger::symbolizer {
std::string_view StripSymbolVersion(std::string_view name) {
  const std::size_t at = name.find('@');
  // A name that begins with '@' is not a versioned one.
  return at == 0 ? name : name.substr(0, at);
}

std::string_view StripCloneSuffix(std::string_view name) {
  static constexpr std::string_view kClones[] = {
      ".cold", ".part", ".constprop", ".isra", ".lto_priv", ".llvm"};
  // From the right, for suffixes add up: "f.part.0.constprop.1.cold".
  while (true) {
    std::string_view rest = name;
    const std::size_t last = rest.find_last_not_of("0123456789");
    if (last != std::string_view::npos && last + 1 < rest.size() &&
        rest[last] == '.') {
      rest = rest.substr(0, last);
    }
    const auto clone = std::find_if(
        std::begin(kClones), std::end(kClones),
        [&](std::string_view suffix) { return rest.ends_with(suffix); });
    if (clone == std::end(kClones) || clone->size() == rest.size()) {
      return name;
    }
    name = rest.substr(0, rest.size() - clone->size());
  }
}

std::string Demangle(std::string_view linkage_name) {
  std::string name(StripCloneSuffix(linkage_name));
  std::optional<std::string> text;
  if (name.starts_with("_Z") || name.starts_with("_R")) {
    // Legacy Rust is C++ mangling whose last component is a hash.
    text = BoundedDemangler::Rust(name);
    if (!text) text = BoundedDemangler::Cxx(name);
  } else if (name.starts_with("_D")) {
    text = BoundedDemangler::D(name);
  }
  return text ? *std::move(text) : name;
}

}  // namespace heapledger::symbolizer
