// SPDX-License-Identifier: Apache-2.0
// A client that can misbehave: raw sockets on loopback, one test at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace heapledger::collector {

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class HttpClient {
 public:
  // To 127.0.0.1, or to [::1].
  static HttpClient ToIpv4(std::uint16_t port);
  static HttpClient ToIpv6(std::uint16_t port);
  static HttpClient ToUnix(const std::string& path);

  HttpClient(HttpClient&& other) noexcept;
  HttpClient& operator=(HttpClient&& other) noexcept;
  ~HttpClient();

  [[nodiscard]] bool connected() const { return socket_ >= 0; }
  [[nodiscard]] int socket() const { return socket_; }

  bool Send(std::string_view text);
  // The next response; `head` if it is one to HEAD. nullopt if the connection
  // ended or `timeout` passed first.
  enum class Body { kExpected, kNone };
  std::optional<ClientResponse> Read(
      Body body = Body::kExpected,
      std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Whether the server closes within `timeout`.
  bool SeesClose(std::chrono::milliseconds timeout);
  // Closes with a reset.
  void Reset();

 private:
  explicit HttpClient(int socket) : socket_(socket) {}
  enum class Received { kData, kEnd, kTimeout };
  Received Receive(std::chrono::steady_clock::time_point deadline);

  int socket_ = -1;
  std::string buffer_;
};

// A request without a body, complete.
[[nodiscard]] std::string HttpText(std::string_view method,
                                   std::string_view path,
                                   std::string_view headers = "");

// Head and body of `text` if both are complete, removed from it.
[[nodiscard]] std::optional<ClientResponse> TakeResponse(std::string& text,
                                                         HttpClient::Body body);

}  // namespace heapledger::collector
