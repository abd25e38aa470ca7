// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

namespace heapledger::symbolizer {
namespace {

// The demangler's work grows with the name, and its output can grow much
// faster (each level of nested substitutions doubles it). Boost and Eigen
// reach some thousand characters.
constexpr std::size_t kMaxLinkageName = 16384;

// "h" and sixteen hexadecimal digits.
constexpr std::size_t kRustHashSize = 17;

bool IsLowerHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

struct FreeDeleter {
  void operator()(char* p) const { std::free(p); }
};

std::optional<std::string> DemangleItanium(const std::string& name) {
  int status = 0;
  std::unique_ptr<char, FreeDeleter> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status));
  if (status != 0 || text == nullptr || *text == '\0') return std::nullopt;
  return std::string(text.get());
}

// Legacy Rust is Itanium mangling whose last component is a hash.
bool EndsInRustHash(std::string_view name) {
  if (name.size() < kRustHashSize + 2) return false;
  std::string_view tail = name.substr(name.size() - kRustHashSize - 2);
  return tail.starts_with("::h") &&
         std::all_of(tail.begin() + 3, tail.end(), IsLowerHex);
}

void AppendUtf8(std::uint32_t code_point, std::string& out) {
  auto put = [&out](std::uint32_t byte) {
    out.push_back(static_cast<char>(byte));
  };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3f));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

// The text between two dollar signs, decoded; nothing if it is no escape.
std::optional<std::string> DecodeRustEscape(std::string_view escape) {
  static constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
      {"SP", "@"}, {"BP", "*"}, {"RF", "&"}, {"LT", "<"},
      {"GT", ">"}, {"LP", "("}, {"RP", ")"}, {"C", ","}};
  for (const auto& [name, text] : kNamed) {
    if (escape == name) return std::string(text);
  }
  // $u7b$: a code point of up to six digits.
  if (escape.size() < 2 || escape.size() > 7 || escape[0] != 'u' ||
      !std::all_of(escape.begin() + 1, escape.end(), IsLowerHex)) {
    return std::nullopt;
  }
  const unsigned long code_point =
      std::strtoul(std::string(escape.substr(1)).c_str(), nullptr, 16);
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < 0x20 || code_point > 0x10ffff || surrogate) {
    return std::nullopt;
  }
  std::string text;
  AppendUtf8(static_cast<std::uint32_t>(code_point), text);
  return text;
}

std::string DecodeRustLegacy(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  bool component_start = true;
  while (!name.empty()) {
    // "_$LT$": an underscore keeps a component from beginning with a dollar.
    if (component_start && name.starts_with("_$")) name.remove_prefix(1);
    component_start = false;
    if (name.starts_with("::")) {
      component_start = true;
      out += "::";
      name.remove_prefix(2);
      continue;
    }
    if (name.starts_with("..")) {
      out += "::";
      name.remove_prefix(2);
      continue;
    }
    if (name.front() == '$') {
      const std::size_t end = name.find('$', 1);
      if (end != std::string_view::npos) {
        if (auto text = DecodeRustEscape(name.substr(1, end - 1))) {
          out += *text;
          name.remove_prefix(end + 1);
          continue;
        }
      }
    }
    out.push_back(name.front());
    name.remove_prefix(1);
  }
  return out;
}

}  // namespace

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
  if (!name.starts_with("_Z") || name.size() > kMaxLinkageName) return name;
  std::optional<std::string> text = DemangleItanium(name);
  if (!text) return name;
  if (!EndsInRustHash(*text)) return *std::move(text);
  text->resize(text->size() - kRustHashSize - 2);
  return DecodeRustLegacy(*text);
}

}  // namespace heapledger::symbolizer
