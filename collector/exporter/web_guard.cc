// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/web_guard.h"

#include <algorithm>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/config/read_file.h"

namespace heapledger::collector {
namespace {

// Shorter ones can be guessed.
constexpr std::size_t kMinTokenBytes = 16;

absl::StatusOr<std::vector<std::string>> ReadTokens(const std::string& file) {
  const auto text = ReadConfigFile(file);
  if (!text.ok()) return text.status();
  std::vector<std::string> tokens;
  int line = 0;
  for (const absl::string_view part : absl::StrSplit(*text, '\n')) {
    ++line;
    const std::string token(absl::StripAsciiWhitespace(part));
    if (token.empty()) continue;
    if (token.size() < kMinTokenBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, " line ", line, ": the token is shorter than ", kMinTokenBytes,
          " characters; make one with openssl rand -hex 32"));
    }
    tokens.push_back(token);
  }
  if (tokens.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file, ": it holds no token; make one with openssl rand -hex 32"));
  }
  return tokens;
}

}  // namespace

absl::StatusOr<WebGuard::Loaded> WebGuard::Read() const {
  Loaded loaded;
  if (!options_.web_config_file.empty()) {
    loaded.files.push_back(options_.web_config_file);
    const auto text = ReadConfigFile(options_.web_config_file);
    if (!text.ok()) return text.status();
    auto config = ParseWebConfig(*text, options_.web_config_file);
    if (!config.ok()) return config.status();
    loaded.config = *std::move(config);
  }
  const bool has_certificate = !options_.tls_certificate_file.empty();
  if (has_certificate != !options_.tls_key_file.empty()) {
    return absl::InvalidArgumentError(
        "TLS needs a certificate and its key; give both --tls-cert and "
        "--tls-key");
  }
  if (has_certificate && loaded.config.tls) {
    return absl::InvalidArgumentError(absl::StrCat(
        options_.web_config_file,
        " has a tls_server_config; leave out --tls-cert and --tls-key"));
  }
  if (has_certificate) {
    loaded.config.tls.emplace();
    loaded.config.tls->certificate_file = options_.tls_certificate_file;
    loaded.config.tls->key_file = options_.tls_key_file;
  }
  if (loaded.config.tls) {
    auto context = MakeTlsContext(*loaded.config.tls);
    if (!context.ok()) return context.status();
    loaded.context = *std::move(context);
    for (const std::string& file :
         {loaded.config.tls->certificate_file, loaded.config.tls->key_file,
          loaded.config.tls->client_ca_file}) {
      if (!file.empty()) loaded.files.push_back(file);
    }
  }
  if (!options_.bearer_token_file.empty()) {
    loaded.files.push_back(options_.bearer_token_file);
    auto tokens = ReadTokens(options_.bearer_token_file);
    if (!tokens.ok()) return tokens.status();
    loaded.tokens = *std::move(tokens);
  }
  return loaded;
}

absl::Status WebGuard::CheckExposure(const Loaded& loaded) const {
  if (!options_.exposed) return absl::OkStatus();
  if (!loaded.context) {
    return absl::FailedPreconditionError(
        "other hosts could read this in plain text; give --tls-cert and "
        "--tls-key or --web-config, or --insecure if that is meant");
  }
  const bool clients_show_certificates =
      loaded.config.tls &&
      loaded.config.tls->client_auth == ClientAuth::kRequireAndVerify;
  if (loaded.config.users.empty() && loaded.tokens.empty() &&
      !clients_show_certificates) {
    return absl::FailedPreconditionError(
        "any other host could read this; give --bearer-token-file, or "
        "--web-config with basic_auth_users, or --insecure if that is meant");
  }
  return absl::OkStatus();
}

absl::Status WebGuard::Load() {
  auto loaded = Read();
  if (!loaded.ok()) return loaded.status();
  if (absl::Status status = CheckExposure(*loaded); !status.ok()) {
    return status;
  }
  Use(*std::move(loaded));
  return absl::OkStatus();
}

void WebGuard::Use(Loaded loaded) {
  const bool first = files_.empty();
  config_ = std::move(loaded.config);
  context_ = std::move(loaded.context);
  files_ = std::move(loaded.files);
  authenticator_.Configure(config_.users, loaded.tokens);
  if (first) rate_tokens_ = config_.rate_burst;
  stamps_ = Stamps();
}

std::string WebGuard::Stamps() const {
  std::string stamps;
  for (const std::string& file : files_) {
    absl::StrAppend(&stamps, FileStamp(file), ";");
  }
  return stamps;
}

void WebGuard::Refresh() {
  if (files_.empty()) return;
  std::string stamps = Stamps();
  if (stamps == stamps_) return;
  // Remembered now: a change while we read is seen by the next look.
  stamps_ = std::move(stamps);
  auto loaded = Read();
  absl::Status status = loaded.status();
  if (status.ok() && (loaded->context != nullptr) != tls()) {
    status = absl::FailedPreconditionError(absl::StrCat(
        options_.web_config_file,
        ": TLS cannot be switched on or off while we run; start again"));
  }
  if (status.ok()) status = CheckExposure(*loaded);
  if (!status.ok()) {
    ++failed_reloads_;
    if (options_.log) {
      options_.log(absl::StrCat("reload: ", std::string(status.message()),
                                "; what held before holds on"));
    }
    return;
  }
  const std::string seen = stamps_;
  Use(*std::move(loaded));
  stamps_ = seen;
}

SslContext WebGuard::context() const {
  SSL_CTX_up_ref(context_.get());
  return SslContext(context_.get());
}

bool WebGuard::TakeRate(Clock::time_point now) {
  if (config_.rate_interval.count() == 0) return true;
  const double earned = std::chrono::duration<double>(now - rate_at_) /
                        std::chrono::duration<double>(config_.rate_interval);
  rate_tokens_ = std::min(config_.rate_burst, rate_tokens_ + earned);
  rate_at_ = now;
  if (rate_tokens_ < 1) return false;
  rate_tokens_ -= 1;
  return true;
}

}  // namespace heapledger::collector
