// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/credentials.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace heapledger::collector {

std::optional<Credentials> ParseAuthorization(std::string_view header) {
  const std::size_t space = header.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::string scheme(header.substr(0, space));
  absl::AsciiStrToLower(&scheme);
  header.remove_prefix(space);
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  while (!header.empty() && header.back() == ' ') header.remove_suffix(1);
  if (header.empty()) return std::nullopt;
  if (scheme == "bearer") {
    return Credentials{Credentials::Kind::kBearer, "", std::string(header)};
  }
  if (scheme != "basic") return std::nullopt;
  std::string decoded;
  if (!absl::Base64Unescape(std::string(header), &decoded)) return std::nullopt;
  const std::size_t colon = decoded.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{Credentials::Kind::kBasic, decoded.substr(0, colon),
                     decoded.substr(colon + 1)};
}

}  // namespace heapledger::collector
