// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/source_place.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::gate {
namespace {

std::optional<SourcePlace> Place(const std::string& file, std::uint32_t line,
                                 const GateFacts& facts) {
  if (file.empty()) return std::nullopt;
  std::filesystem::path path = std::filesystem::path(file).lexically_normal();
  SourcePlace place;
  place.line = std::max(line, 1U);
  if (path.is_absolute() && !facts.source_root.empty()) {
    const auto relative = path.lexically_relative(facts.source_root);
    if (!relative.empty() && *relative.begin() != "..") {
      path = relative;
      place.in_root = true;
    }
  } else if (path.is_relative() && *path.begin() != "..") {
    // As the compiler was given it: from the root of a build, which may be that
    // of a library.
    std::error_code unreadable;
    place.in_root =
        !facts.source_root.empty() &&
        std::filesystem::is_regular_file(
            std::filesystem::path(facts.source_root) / path, unreadable);
  }
  place.path = path.generic_string();
  return place;
}

}  // namespace

std::optional<SourcePlace> PlaceOf(const StackFunction& frame,
                                   const GateFacts& facts) {
  return Place(frame.file, frame.line, facts);
}

std::optional<SourcePlace> PlaceOf(const Finding& finding,
                                   const GateFacts& facts) {
  auto own = Place(finding.name.file, finding.name.line, facts);
  if (own && own->in_root) return own;
  for (const StackFunction& frame : finding.stack) {
    auto place = PlaceOf(frame, facts);
    if (place && place->in_root) return place;
  }
  return own;
}

std::string UriPath(const std::string& path) {
  constexpr std::string_view kPlain = "-._~/";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string uri;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      uri += '%';
      uri += kHex[byte >> 4];
      uri += kHex[byte & 15];
    }
  }
  return uri;
}

}  // namespace heapledger::collector::gate
