// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/exporter/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace heapledger::collector {
namespace {

int Connect(const sockaddr* address, socklen_t size) {
  const int socket =
      ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  if (::connect(socket, address, size) == 0) return socket;
  ::close(socket);
  return -1;
}

}  // namespace

HttpClient HttpClient::ToIpv4(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return HttpClient(
      Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

HttpClient HttpClient::ToIpv6(std::uint16_t port) {
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return HttpClient(
      Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

HttpClient HttpClient::ToUnix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return HttpClient(
      Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      buffer_(std::move(other.buffer_)) {}

HttpClient& HttpClient::operator=(HttpClient&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

HttpClient::~HttpClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool HttpClient::Send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent =
        ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

HttpClient::Received HttpClient::Receive(
    std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd wait = {.fd = socket_, .events = POLLIN, .revents = 0};
  if (left.count() <= 0 ||
      ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) {
    return Received::kTimeout;
  }
  char data[16384];
  const ssize_t size = ::recv(socket_, data, sizeof data, 0);
  if (size <= 0) return Received::kEnd;
  buffer_.append(data, static_cast<std::size_t>(size));
  return Received::kData;
}

std::optional<ClientResponse> HttpClient::Read(
    Body body, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (auto response = TakeResponse(buffer_, body)) return response;
    if (Receive(deadline) != Received::kData) return std::nullopt;
  }
}

bool HttpClient::SeesClose(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const Received received = Receive(deadline);
    if (received != Received::kData) return received == Received::kEnd;
  }
}

void HttpClient::Reset() {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(socket_, -1));
}

std::string HttpText(std::string_view method, std::string_view path,
                     std::string_view headers) {
  std::string text(method);
  text.append(" ").append(path).append(" HTTP/1.1\r\nHost: test\r\n");
  text.append(headers).append("\r\n");
  return text;
}

std::optional<ClientResponse> TakeResponse(std::string& text,
                                           HttpClient::Body body) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  ClientResponse response;
  response.status = std::atoi(text.c_str() + text.find(' '));
  std::size_t line = text.find("\r\n") + 2;
  while (line < end) {
    const std::size_t next = text.find("\r\n", line);
    const std::size_t colon = text.find(": ", line);
    std::string name = text.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    response.headers[name] = text.substr(colon + 2, next - colon - 2);
    line = next + 2;
  }
  const auto length = response.headers.find("content-length");
  std::size_t size = 0;
  if (body == HttpClient::Body::kExpected && length != response.headers.end()) {
    size = std::strtoul(length->second.c_str(), nullptr, 10);
  }
  if (text.size() < end + 4 + size) return std::nullopt;
  response.body = text.substr(end + 4, size);
  text.erase(0, end + 4 + size);
  return response;
}

}  // namespace heapledger::collector
