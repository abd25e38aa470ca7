// SPDX-License-Identifier: Apache-2.0
// The web configuration file that Prometheus' exporters share
// (--web.config.file of the exporter toolkit), read strictly.
//
// Three differences, all to the safe side: TLS 1.0 and 1.1 are refused, so is a
// password hash that would take longer than a scrape (cost above 16), and http2
// is read and does nothing, as HTTP/1.1 is what is spoken here.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace heapledger::collector {

// Whether a client has to show a certificate, by the names of the file.
enum class ClientAuth {
  kNone,
  kRequest,           // RequestClientCert: asked for, never looked at
  kRequireAny,        // RequireAnyClientCert
  kVerifyIfGiven,     // VerifyClientCertIfGiven
  kRequireAndVerify,  // RequireAndVerifyClientCert
};

struct TlsConfig {
  // Of each pair one: a file, or the PEM text itself.
  std::string certificate_file;
  std::string certificate;
  std::string key_file;
  std::string key;
  std::string client_ca_file;
  std::string client_ca;

  ClientAuth client_auth = ClientAuth::kNone;
  // Where not empty, one of the certificate's names must be among them.
  std::vector<std::string> client_allowed_sans;

  int min_minor = 2;  // of TLS 1.x
  int max_minor = 3;
  std::vector<std::string> cipher_suites;  // IANA names, of TLS 1.2
  std::vector<std::string> curves;         // OpenSSL's names
  bool prefer_server_cipher_suites = true;
};

struct WebConfig {
  std::optional<TlsConfig> tls;
  std::map<std::string, std::string, std::less<>> users;  // to bcrypt hashes
  std::vector<std::pair<std::string, std::string>> headers;
  // One request each interval and a burst beyond; zero for no limit.
  std::chrono::nanoseconds rate_interval{0};
  double rate_burst = 0;
};

// `source` is the file's name; relative names in it are looked up beside it.
[[nodiscard]] absl::StatusOr<WebConfig> ParseWebConfig(
    const std::string& text, const std::string& source);

// A duration as Go writes it: `1s`, `1m30s`, `250ms`, `0`.
[[nodiscard]] std::optional<std::chrono::nanoseconds> ParseGoDuration(
    std::string_view text);

}  // namespace heapledger::collector
