// SPDX-License-Identifier: Apache-2.0
// What an Authorization header says (RFC 7617, RFC 6750).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heapledger::collector {

struct Credentials {
  enum class Kind { kBasic, kBearer };

  Kind kind = Kind::kBasic;
  std::string user;    // of kBasic
  std::string secret;  // the password, or the token
};

// nullopt for another scheme and for what is malformed.
[[nodiscard]] std::optional<Credentials> ParseAuthorization(
    std::string_view header);

}  // namespace heapledger::collector
