// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/web_config.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace heapledger::collector {
namespace {

using std::chrono::nanoseconds;

// Of the password "swordfish", cost 4.
constexpr const char* kHash =
    "$2y$04$abcdefghijklmnopqrstuugIEnm3ZbWF6xb2GcoE3L1CoGJFMKtu.";

absl::StatusOr<WebConfig> Parse(const std::string& text) {
  return ParseWebConfig(text, "/etc/web/config.yml");
}

TEST(WebConfigTest, ReadsWhatTheToolkitHas) {
  const auto config = Parse(
      "tls_server_config:\n"
      "  cert_file: server.crt\n"
      "  key_file: /keys/server.key\n"
      "  client_auth_type: RequireAndVerifyClientCert\n"
      "  client_ca_file: ca.pem\n"
      "  client_allowed_sans: [scraper.example, 10.0.0.1]\n"
      "  min_version: TLS13\n"
      "  max_version: TLS13\n"
      "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"
      "  curve_preferences: [X25519, CurveP256]\n"
      "  prefer_server_cipher_suites: false\n"
      "http_server_config:\n"
      "  http2: false\n"
      "  headers:\n"
      "    X-Frame-Options: deny\n"
      "    Strict-Transport-Security: max-age=31536000\n"
      "    Content-Security-Policy:\n"
      "basic_auth_users:\n"
      "  alice: " +
      std::string(kHash) +
      "\n"
      "rate_limit:\n"
      "  interval: 1m30s\n"
      "  burst: 20\n");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_TRUE(config->tls);
  EXPECT_EQ(config->tls->certificate_file, "/etc/web/server.crt");
  EXPECT_EQ(config->tls->key_file, "/keys/server.key");
  EXPECT_EQ(config->tls->client_ca_file, "/etc/web/ca.pem");
  EXPECT_EQ(config->tls->client_auth, ClientAuth::kRequireAndVerify);
  EXPECT_EQ(config->tls->client_allowed_sans.size(), 2U);
  EXPECT_EQ(config->tls->min_minor, 3);
  EXPECT_EQ(config->tls->curves, (std::vector<std::string>{"X25519", "P-256"}));
  EXPECT_FALSE(config->tls->prefer_server_cipher_suites);
  EXPECT_EQ(config->headers.size(), 2U) << "one is blank";
  EXPECT_EQ(config->users.at("alice"), kHash);
  EXPECT_EQ(config->rate_interval, std::chrono::seconds(90));
  EXPECT_EQ(config->rate_burst, 20);
}

TEST(WebConfigTest, TakesEmptyFilesAndSectionsForNothing) {
  for (const char* text :
       {"", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n",
        "http_server_config: {headers: {}}\nrate_limit: {interval: 0}\n"}) {
    const auto config = Parse(text);
    ASSERT_TRUE(config.ok()) << text << config.status();
    EXPECT_FALSE(config->tls);
    EXPECT_TRUE(config->users.empty());
  }
}

TEST(WebConfigTest, SaysWhatIsWrongAndWhere) {
  const std::string tls = "tls_server_config:\n  cert_file: a\n  key_file: b\n";
  for (const auto& [text, why] :
       std::vector<std::pair<std::string, std::string>>{
           {"tls_config: {}", "line 1: tls_config is no key known here"},
           {tls + "  cert_fil: x\n", "line 4: tls_server_config.cert_fil"},
           {"tls_server_config: {cert_file: a}", "needs one of key_file"},
           {"tls_server_config: {key_file: a}", "needs one of cert_file"},
           {tls + "  min_version: TLS10\n", "is broken for years"},
           {tls + "  min_version: SSL3\n", "is none of TLS13, TLS12"},
           {tls + "  min_version: TLS13\n  max_version: TLS12\n",
            "min_version above its max_version"},
           {tls + "  client_ca_file: c\n", "no client_auth_type"},
           {tls + "  client_auth_type: RequireAndVerifyClientCert\n",
            "needs a client_ca_file"},
           {tls + "  client_auth_type: Always\n", "is none of NoClientCert"},
           {tls + "  curve_preferences: [CurveP111]\n",
            "line 4: tls_server_config.curve_preferences[0] is none of"},
           {"http_server_config:\n  headers:\n    X-Other: 1\n",
            "line 3: http_server_config.headers.X-Other is no header"},
           {"http_server_config: {headers: {X-Frame-Options: allow}}",
            "may only be deny or sameorigin"},
           {"http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nb\"}}",
            "control character"},
           {"basic_auth_users: {bob: secret}", "is no bcrypt hash"},
           {std::string("basic_auth_users: {\"a:b\": ") + kHash + "}",
            "holds a colon"},
           {std::string("basic_auth_users:\n  a: ") + kHash + "\n  a: " + kHash,
            "line 3: basic_auth_users has the key \"a\" twice"},
           {"rate_limit: {interval: fast}", "is no duration"},
           {"rate_limit: {burst: -1}", "must be between"}}) {
    const auto config = Parse(text);
    ASSERT_FALSE(config.ok()) << text;
    const std::string words(config.status().message());
    EXPECT_TRUE(words.starts_with("/etc/web/config.yml line ")) << words;
    EXPECT_NE(words.find(why), std::string::npos) << words;
  }
}

TEST(WebConfigTest, NeverRepeatsAHashOrAPassword) {
  const auto config = Parse("basic_auth_users: {bob: hunter2}");
  EXPECT_EQ(std::string(config.status().message()).find("hunter2"),
            std::string::npos);
}

TEST(GoDurationTest, AddsUpItsParts) {
  EXPECT_EQ(ParseGoDuration("0"), nanoseconds(0));
  EXPECT_EQ(ParseGoDuration("1.5s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(ParseGoDuration("1h2m3s4ms"), std::chrono::milliseconds(3723004));
  for (const char* none : {"", "1", "s", "1x", "-1s", "1s ", "1e3s", "nan",
                           "99999999999999h", "infs"}) {
    EXPECT_EQ(ParseGoDuration(none), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace heapledger::collector
