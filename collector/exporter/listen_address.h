// SPDX-License-Identifier: Apache-2.0
// Where the HTTP front end listens: an IP literal with a port, or a Unix
// socket. Host names are refused on purpose: what a name resolves to can change
// between the check for loopback and the bind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace heapledger::collector {

struct ListenAddress {
  enum class Kind { kIpv4, kIpv6, kUnix };

  Kind kind = Kind::kIpv4;
  std::string host;  // the literal without brackets; the path of a Unix socket
  std::uint16_t port = 0;  // 0 lets the kernel choose
  bool local = false;      // loopback or Unix: reachable from this host alone

  // As a user writes it: `127.0.0.1:9797`, `[::1]:9797`, `unix:/run/x.sock`.
  [[nodiscard]] std::string ToString() const;
};

// Accepts `127.0.0.1:9797`, `[::1]:9797`, `localhost:9797` (127.0.0.1) and
// `unix:/absolute/path`.
[[nodiscard]] absl::StatusOr<ListenAddress> ParseListenAddress(
    std::string_view text);

}  // namespace heapledger::collector
