// SPDX-License-Identifier: Apache-2.0
// OpenSSL's side of a TlsConfig.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "absl/status/statusor.h"
#include "collector/exporter/web_config.h"

namespace heapledger::collector {

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;

// Reads every file that the configuration names. Sessions are not resumed: each
// handshake goes by the certificates that hold then. Errors name the file, the
// reason and the remedy.
[[nodiscard]] absl::StatusOr<SslContext> MakeTlsContext(
    const TlsConfig& config);

}  // namespace heapledger::collector
