// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/web_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/config/yaml_value.h"
#include "collector/exporter/password_hash.h"

namespace heapledger::collector {
namespace {

using Field = YamlValue::Field;

// What a header may hold; empty for anything.
struct AllowedHeader {
  std::string_view name;
  std::vector<std::string_view> values;
};

const std::vector<AllowedHeader>& AllowedHeaders() {
  static const auto* const kHeaders = new std::vector<AllowedHeader>{
      {"Strict-Transport-Security", {}},
      {"X-Content-Type-Options", {"nosniff"}},
      {"X-Frame-Options", {"deny", "sameorigin"}},
      {"X-XSS-Protection", {}},
      {"Content-Security-Policy", {}}};
  return *kHeaders;
}

// The word of `known` that the value is.
template <typename Value, std::size_t size>
absl::StatusOr<Value> OneOf(
    const YamlValue& value,
    const std::array<std::pair<std::string_view, Value>, size>& known) {
  const auto text = value.String();
  if (!text.ok()) return text.status();
  std::string words;
  for (const auto& [word, meaning] : known) {
    if (*text == word) return meaning;
    absl::StrAppend(&words, words.empty() ? "" : ", ", std::string(word));
  }
  return value.Error(absl::StrCat("is none of ", words));
}

Field Text(std::string_view name, std::string* out) {
  return {name, [out](const YamlValue& value) {
            if (value.kind() == YamlValue::Kind::kNothing) {
              return absl::OkStatus();
            }
            auto text = value.String();
            if (text.ok()) *out = *std::move(text);
            return text.status();
          }};
}

// A file's name, relative ones beside the configuration.
Field File(std::string_view name, const std::filesystem::path& directory,
           std::string* out) {
  return {name, [directory, out](const YamlValue& value) {
            auto text = value.String();
            if (text.ok() && !text->empty()) *out = directory / *text;
            return text.status();
          }};
}

Field Texts(std::string_view name, std::vector<std::string>* out) {
  return {name, [out](const YamlValue& value) {
            const auto items = value.List();
            if (!items.ok()) return items.status();
            for (const YamlValue& item : *items) {
              auto text = item.String();
              if (!text.ok()) return text.status();
              out->push_back(*std::move(text));
            }
            return absl::OkStatus();
          }};
}

Field Flag(std::string_view name, bool* out) {
  return {name, [out](const YamlValue& value) {
            const auto flag = value.Bool();
            if (flag.ok()) *out = *flag;
            return flag.status();
          }};
}

Field TlsVersion(std::string_view name, int* minor) {
  return {name, [minor](const YamlValue& value) {
            static constexpr std::array<std::pair<std::string_view, int>, 4>
                kVersions = {
                    {{"TLS13", 3}, {"TLS12", 2}, {"TLS11", 1}, {"TLS10", 0}}};
            const auto version = OneOf(value, kVersions);
            if (!version.ok()) return version.status();
            if (*version < 2) {
              return value.Error("is broken for years; take TLS12 or TLS13");
            }
            *minor = *version;
            return absl::OkStatus();
          }};
}

Field ClientAuthType(ClientAuth* out) {
  return {
      "client_auth_type", [out](const YamlValue& value) {
        static constexpr std::array<std::pair<std::string_view, ClientAuth>, 7>
            kTypes = {
                {{"NoClientCert", ClientAuth::kNone},
                 {"RequestClientCert", ClientAuth::kRequest},
                 {"RequireAnyClientCert", ClientAuth::kRequireAny},
                 // Its older name.
                 {"RequireClientCert", ClientAuth::kRequireAny},
                 {"VerifyClientCertIfGiven", ClientAuth::kVerifyIfGiven},
                 {"RequireAndVerifyClientCert", ClientAuth::kRequireAndVerify},
                 {"", ClientAuth::kNone}}};
        const auto type = OneOf(value, kTypes);
        if (type.ok()) *out = *type;
        return type.status();
      }};
}

Field Curves(std::vector<std::string>* out) {
  return {"curve_preferences", [out](const YamlValue& value) {
            static constexpr std::array<
                std::pair<std::string_view, std::string_view>, 4>
                kCurves = {{{"CurveP256", "P-256"},
                            {"CurveP384", "P-384"},
                            {"CurveP521", "P-521"},
                            {"X25519", "X25519"}}};
            const auto items = value.List();
            if (!items.ok()) return items.status();
            for (const YamlValue& item : *items) {
              const auto curve = OneOf(item, kCurves);
              if (!curve.ok()) return curve.status();
              out->emplace_back(*curve);
            }
            return absl::OkStatus();
          }};
}

absl::Status Conflict(const YamlValue& value, const TlsConfig& tls) {
  const auto missing = [](const std::string& file, const std::string& text) {
    return file.empty() && text.empty();
  };
  if (missing(tls.certificate_file, tls.certificate)) {
    return value.Error("needs one of cert_file and cert");
  }
  if (missing(tls.key_file, tls.key)) {
    return value.Error("needs one of key_file and key");
  }
  if (tls.min_minor > tls.max_minor) {
    return value.Error("has a min_version above its max_version");
  }
  const bool has_ca = !missing(tls.client_ca_file, tls.client_ca);
  if (has_ca && tls.client_auth == ClientAuth::kNone) {
    return value.Error(
        "has a client CA and no client_auth_type that would use it; take "
        "RequireAndVerifyClientCert");
  }
  const bool verifies = tls.client_auth == ClientAuth::kVerifyIfGiven ||
                        tls.client_auth == ClientAuth::kRequireAndVerify;
  if (verifies && !has_ca) {
    return value.Error("verifies clients and needs a client_ca_file for it");
  }
  return absl::OkStatus();
}

absl::Status ReadTls(const YamlValue& value,
                     const std::filesystem::path& directory,
                     std::optional<TlsConfig>* out) {
  TlsConfig tls;
  absl::Status status = value.ReadMap(
      {Text("cert", &tls.certificate), Text("key", &tls.key),
       Text("client_ca", &tls.client_ca),
       File("cert_file", directory, &tls.certificate_file),
       File("key_file", directory, &tls.key_file),
       File("client_ca_file", directory, &tls.client_ca_file),
       ClientAuthType(&tls.client_auth),
       Texts("client_allowed_sans", &tls.client_allowed_sans),
       TlsVersion("min_version", &tls.min_minor),
       TlsVersion("max_version", &tls.max_minor),
       Texts("cipher_suites", &tls.cipher_suites), Curves(&tls.curves),
       Flag("prefer_server_cipher_suites", &tls.prefer_server_cipher_suites)});
  if (!status.ok()) return status;
  const auto entries = value.Map();
  if (entries.ok() && entries->empty()) return absl::OkStatus();
  status = Conflict(value, tls);
  if (status.ok()) *out = std::move(tls);
  return status;
}

absl::Status ReadHeaders(
    const YamlValue& value,
    std::vector<std::pair<std::string, std::string>>* out) {
  const auto entries = value.Map();
  if (!entries.ok()) return entries.status();
  for (const auto& [name, entry] : *entries) {
    const auto allowed =
        std::ranges::find(AllowedHeaders(), name, &AllowedHeader::name);
    if (allowed == AllowedHeaders().end()) {
      return entry.Error("is no header that can be set here");
    }
    if (entry.kind() == YamlValue::Kind::kNothing) continue;
    auto text = entry.String();
    if (!text.ok()) return text.status();
    if (text->empty()) continue;
    if (std::ranges::any_of(*text, [](char c) {
          return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        })) {
      return entry.Error("holds a control character");
    }
    if (!allowed->values.empty() &&
        std::ranges::find(allowed->values, *text) == allowed->values.end()) {
      return entry.Error(
          absl::StrCat("may only be ", std::string(allowed->values.front()),
                       allowed->values.size() > 1
                           ? " or " + std::string(allowed->values.back())
                           : std::string()));
    }
    out->emplace_back(name, *std::move(text));
  }
  return absl::OkStatus();
}

absl::Status ReadUsers(const YamlValue& value, WebConfig* config) {
  const auto entries = value.Map();
  if (!entries.ok()) return entries.status();
  for (const auto& [name, entry] : *entries) {
    auto hash = entry.String();
    if (!hash.ok()) return hash.status();
    if (name.find(':') != std::string::npos) {
      return entry.Error("is no name for a user: it holds a colon");
    }
    if (const auto fault = HashFault(*hash)) return entry.Error(*fault);
    config->users.emplace(name, *std::move(hash));
  }
  return absl::OkStatus();
}

absl::Status ReadRateLimit(const YamlValue& value, WebConfig* config) {
  return value.ReadMap({{"interval",
                         [config](const YamlValue& entry) {
                           const auto text = entry.String();
                           if (!text.ok()) return text.status();
                           const auto interval = ParseGoDuration(*text);
                           if (!interval)
                             return entry.Error("is no duration such as 1s");
                           config->rate_interval = *interval;
                           return absl::OkStatus();
                         }},
                        {"burst", [config](const YamlValue& entry) {
                           const auto burst = entry.Number();
                           if (!burst.ok()) return burst.status();
                           if (*burst < 0 || *burst > 1e9) {
                             return entry.Error(
                                 "must be between 0 and 1000000000");
                           }
                           config->rate_burst = *burst;
                           return absl::OkStatus();
                         }}});
}

}  // namespace

std::optional<std::chrono::nanoseconds> ParseGoDuration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits = {
      {{"ns", 1},
       {"us", 1e3},
       {"µs", 1e3},
       {"ms", 1e6},
       {"s", 1e9},
       {"m", 60e9},
       {"h", 3600e9}}};
  if (text == "0") return std::chrono::nanoseconds(0);
  double total = 0;
  bool any = false;
  while (!text.empty()) {
    double number = 0;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), number,
                        std::chars_format::fixed);
    if (error != std::errc() || !(number >= 0)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    const std::string_view unit = text.substr(
        0, std::min(text.find_first_of("0123456789."), text.size()));
    const auto known = std::ranges::find(
        kUnits, unit, &std::pair<std::string_view, double>::first);
    if (known == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit.size());
    total += number * known->second;
    any = true;
  }
  constexpr double kMaxNs = 1e18;  // 31 years
  if (!any || !(total <= kMaxNs)) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

absl::StatusOr<WebConfig> ParseWebConfig(const std::string& text,
                                         const std::string& source) {
  const auto root = YamlValue::Parse(text, source);
  if (!root.ok()) return root.status();
  const std::filesystem::path directory =
      std::filesystem::path(source).parent_path();
  WebConfig config;
  bool http2 = true;  // read, and of no consequence
  absl::Status status = root->ReadMap(
      {{"tls_server_config",
        [&](const YamlValue& value) {
          return ReadTls(value, directory, &config.tls);
        }},
       {"http_server_config",
        [&](const YamlValue& value) {
          return value.ReadMap({Flag("http2", &http2),
                                {"headers", [&](const YamlValue& headers) {
                                   return ReadHeaders(headers, &config.headers);
                                 }}});
        }},
       {"basic_auth_users",
        [&](const YamlValue& value) { return ReadUsers(value, &config); }},
       {"rate_limit", [&](const YamlValue& value) {
          return ReadRateLimit(value, &config);
        }}});
  if (!status.ok()) return status;
  return config;
}

}  // namespace heapledger::collector
