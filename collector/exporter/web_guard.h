// SPDX-License-Identifier: Apache-2.0
// What stands before the pages: TLS, credentials, extra headers and the rate
// limit, as the web configuration file and the options say.
//
// The files are looked at (stat) with every connection and every request, and
// read again when one has changed, so that a renewed certificate or a withdrawn
// user needs no restart. A change that cannot be used is logged once and
// counted, and what held before holds on: half a file must not open the door,
// nor shut it for good.
//
// Thread safety: none; the I/O thread's once it has started.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "collector/exporter/authenticator.h"
#include "collector/exporter/tls_context.h"
#include "collector/exporter/web_config.h"

namespace heapledger::collector {

struct WebGuardOptions {
  std::string web_config_file;
  // Instead of the tls_server_config of that file; both or none.
  std::string tls_certificate_file;
  std::string tls_key_file;
  // Tokens, one a line, so that an old and a new one can stand together.
  std::string bearer_token_file;

  // Other hosts can reach us: TLS and authentication have to be there.
  bool exposed = false;
  std::function<void(const std::string&)> log;
};

class WebGuard {
 public:
  using Clock = std::chrono::steady_clock;

  explicit WebGuard(WebGuardOptions options) : options_(std::move(options)) {}

  // At start: an error ends the program.
  [[nodiscard]] absl::Status Load();
  // Loads again what has changed.
  void Refresh();

  [[nodiscard]] bool tls() const { return context_ != nullptr; }
  // For one connection, which keeps it alive.
  [[nodiscard]] SslContext context() const;
  // `Name: value` lines that every response carries.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>&
  headers() const {
    return config_.headers;
  }
  [[nodiscard]] Authenticator& authenticator() { return authenticator_; }
  // Whether clients have to show who they are: by password, token, or on `tls`
  // by certificate.
  [[nodiscard]] bool KnowsClients(bool tls) const {
    return authenticator_.required() ||
           (tls && config_.tls &&
            config_.tls->client_auth == ClientAuth::kRequireAndVerify);
  }
  // Takes one request's share of the rate limit; says no if there is none left.
  [[nodiscard]] bool TakeRate(Clock::time_point now);

  [[nodiscard]] std::uint64_t failed_reloads() const { return failed_reloads_; }

 private:
  struct Loaded {
    WebConfig config;
    SslContext context;
    std::vector<std::string> tokens;
    std::vector<std::string> files;  // that it was made of
  };
  [[nodiscard]] absl::StatusOr<Loaded> Read() const;
  [[nodiscard]] absl::Status CheckExposure(const Loaded& loaded) const;
  void Use(Loaded loaded);
  [[nodiscard]] std::string Stamps() const;

  const WebGuardOptions options_;
  WebConfig config_;
  SslContext context_;
  std::vector<std::string> files_;
  std::string stamps_;
  Authenticator authenticator_;
  double rate_tokens_ = 0;
  Clock::time_point rate_at_{};
  std::uint64_t failed_reloads_ = 0;
};

}  // namespace heapledger::collector
