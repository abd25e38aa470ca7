// SPDX-License-Identifier: Apache-2.0
// The HTTP front end over TLS, with a certificate made for the test.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "collector/exporter/http_server.h"
#include "tests/integration/exporter/http_client.h"

namespace heapledger::collector {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLargeBody = 4 << 20;

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// One request over TLS; the raw response, empty if the handshake failed.
std::string FetchOverTls(std::uint16_t port, const std::string& trusted,
                         const std::string& path, int newest_version = 0) {
  const std::unique_ptr<SSL_CTX, SslFree> context(
      SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_load_verify_locations(context.get(), trusted.c_str(), nullptr);
  if (newest_version != 0) {
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_max_proto_version(context.get(), newest_version);
  }
  const HttpClient client = HttpClient::ToIpv4(port);
  const std::unique_ptr<SSL, SslFree> ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), client.socket());
  SSL_set1_host(ssl.get(), "localhost");
  if (SSL_connect(ssl.get()) != 1) return "";
  const std::string request = HttpText("GET", path, "Connection: close\r\n");
  SSL_write(ssl.get(), request.data(), static_cast<int>(request.size()));
  std::string response;
  char data[16384];
  for (;;) {
    const int size = SSL_read(ssl.get(), data, sizeof data);
    if (size <= 0) break;
    response.append(data, static_cast<std::size_t>(size));
  }
  // The end must be announced, or somebody could have cut the text short.
  EXPECT_EQ(SSL_get_shutdown(ssl.get()) & SSL_RECEIVED_SHUTDOWN,
            SSL_RECEIVED_SHUTDOWN);
  SSL_shutdown(ssl.get());
  return response;
}

class HttpTlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { MakeCertificate("key", "cert"); }
  static void MakeCertificate(const std::string& key,
                              const std::string& certificate) {
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout '" +
        File(key) + "' -out '" + File(certificate) + "' 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void TearDownTestSuite() {
    ::unlink(File("key").c_str());
    ::unlink(File("cert").c_str());
  }

  static std::string File(const std::string& name) {
    return ::testing::TempDir() + "/http_tls_test." +
           std::to_string(::getpid()) + "." + name + ".pem";
  }

  HttpTlsTest() {
    options_.listen = {ParseListenAddress("127.0.0.1:0").value()};
    options_.tls_certificate_file = File("cert");
    options_.tls_key_file = File("key");
  }

  std::uint16_t Serve() {
    server_ = std::make_unique<HttpServer>(options_);
    server_->Handle("/metrics", HttpMethod::kGet, RunOn::kWorker,
                    [](const HttpRequest&) {
                      return HttpResponse{.body = "secret\n", .headers = {}};
                    });
    server_->Handle("/large", HttpMethod::kGet, RunOn::kWorker,
                    [](const HttpRequest&) {
                      return HttpResponse{.body = std::string(kLargeBody, 'z'),
                                          .headers = {}};
                    });
    const absl::Status status = server_->Start();
    EXPECT_TRUE(status.ok()) << status;
    return server_->ports().empty() ? std::uint16_t{0} : server_->ports()[0];
  }

  HttpServerOptions options_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTlsTest, ServesAClientThatTrustsItsCertificate) {
  const std::uint16_t port = Serve();
  EXPECT_EQ(server_->urls().front(),
            "https://127.0.0.1:" + std::to_string(port));
  const std::string response = FetchOverTls(port, File("cert"), "/metrics");
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\nsecret\n"));
}

TEST_F(HttpTlsTest, SendsALongBodyWhole) {
  const std::uint16_t port = Serve();
  const std::string response = FetchOverTls(port, File("cert"), "/large");
  ASSERT_GT(response.size(), kLargeBody);
  EXPECT_EQ(response.substr(response.size() - kLargeBody),
            std::string(kLargeBody, 'z'));
}

TEST_F(HttpTlsTest, RefusesOldProtocolVersions) {
  const std::uint16_t port = Serve();
  EXPECT_EQ(FetchOverTls(port, File("cert"), "/metrics", TLS1_1_VERSION), "");
  EXPECT_NE(FetchOverTls(port, File("cert"), "/metrics", TLS1_2_VERSION), "");
}

TEST_F(HttpTlsTest, TellsAPlainClientThatThePortIsNotForIt) {
  const std::uint16_t port = Serve();
  HttpClient client = HttpClient::ToIpv4(port);
  client.Send(HttpText("GET", "/metrics"));
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
  EXPECT_EQ(response->body.find("secret"), std::string::npos);
  EXPECT_TRUE(client.SeesClose(seconds(3)));
}

TEST_F(HttpTlsTest, OutlivesGarbageAndSilenceInTheHandshake) {
  options_.header_timeout = milliseconds(300);
  const std::uint16_t port = Serve();
  HttpClient silent = HttpClient::ToIpv4(port);
  HttpClient half = HttpClient::ToIpv4(port);
  half.Send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  HttpClient garbage = HttpClient::ToIpv4(port);
  garbage.Send(std::string("\x16\x03\x01\x00\x05garbage", 12));
  EXPECT_TRUE(silent.SeesClose(seconds(5)));
  EXPECT_TRUE(half.SeesClose(seconds(5)));
  EXPECT_TRUE(garbage.SeesClose(seconds(5)));
  EXPECT_NE(FetchOverTls(port, File("cert"), "/metrics"), "");
}

TEST_F(HttpTlsTest, WantsToKnowOtherHostsOnTopOfTls) {
  options_.listen = {ParseListenAddress("127.0.0.1:0").value(),
                     ParseListenAddress("0.0.0.0:0").value()};
  const absl::Status refused = HttpServer(options_).Start();
  EXPECT_TRUE(
      std::string(refused.message())
          .starts_with("listen on 0.0.0.0:0: any other host could read this; "))
      << refused;
  options_.bearer_token_file = File("token");
  std::ofstream(File("token")) << "0123456789abcdef\n";
  EXPECT_TRUE(HttpServer(options_).Start().ok());
  options_.tls_certificate_file.clear();
  options_.tls_key_file.clear();
  EXPECT_NE(HttpServer(options_).Start().message().find("plain text"),
            std::string::npos);
  options_.allow_exposed = true;
  EXPECT_TRUE(HttpServer(options_).Start().ok());
  ::unlink(File("token").c_str());
}

TEST_F(HttpTlsTest, TakesARenewedCertificateAndKeepsItOverABrokenOne) {
  const std::string key = File("old_key");
  const std::string certificate = File("old_cert");
  std::filesystem::copy_file(File("key"), key);
  std::filesystem::copy_file(File("cert"), certificate);
  options_.tls_certificate_file = certificate;
  options_.tls_key_file = key;
  std::vector<std::string> words;
  std::mutex mutex;
  options_.log = [&](const std::string& why) {
    const std::lock_guard lock(mutex);
    words.push_back(why);
  };
  const std::uint16_t port = Serve();
  EXPECT_NE(FetchOverTls(port, certificate, "/metrics"), "");
  MakeCertificate("new_key", "new_cert");
  std::filesystem::rename(File("new_key"), key);
  std::filesystem::rename(File("new_cert"), certificate);
  EXPECT_NE(FetchOverTls(port, certificate, "/metrics"), "");
  EXPECT_EQ(FetchOverTls(port, File("cert"), "/metrics"), "")
      << "the old one is gone";
  const std::string good = certificate + ".good";
  std::filesystem::copy_file(certificate, good);
  std::ofstream(certificate) << "half a certificate";
  EXPECT_NE(FetchOverTls(port, good, "/metrics"), "");
  EXPECT_NE(FetchOverTls(port, good, "/metrics"), "");
  EXPECT_EQ(server_->stats().failed_reloads_total, 1U);
  {
    const std::lock_guard lock(mutex);
    ASSERT_EQ(words.size(), 1U) << "said once";
    EXPECT_NE(words[0].find(certificate), std::string::npos) << words[0];
  }
  for (const std::string& file : {key, certificate, good}) {
    ::unlink(file.c_str());
  }
}

TEST_F(HttpTlsTest, NamesTheFileThatItCannotUse) {
  options_.tls_certificate_file = File("absent");
  EXPECT_NE(HttpServer(options_).Start().message().find(File("absent")),
            std::string::npos);
  options_.tls_certificate_file = File("cert");
  options_.tls_key_file = File("cert");  // holds no key
  EXPECT_FALSE(HttpServer(options_).Start().ok());
  options_.tls_key_file.clear();
  EXPECT_EQ(HttpServer(options_).Start().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace heapledger::collector
