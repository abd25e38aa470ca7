// SPDX-License-Identifier: Apache-2.0
// gzip of a response body, and whether a client asked for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heapledger::collector {

// Whether an Accept-Encoding header takes gzip (RFC 9110, 12.5.3): the token
// itself or `*`, unless its weight is zero.
[[nodiscard]] bool AcceptsGzip(std::string_view accept_encoding);

// nullopt if zlib has no memory: the caller sends the text as it is.
[[nodiscard]] std::optional<std::string> Gzip(std::string_view text);

}  // namespace heapledger::collector
