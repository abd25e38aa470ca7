// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

absl::Status Refused(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "listen address \"", std::string(text), "\" ", std::string(why),
      "; write an IP literal and a port such as 127.0.0.1:9797 or [::1]:9797"));
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || error != std::errc() || rest != end) return std::nullopt;
  return port;
}

absl::StatusOr<ListenAddress> ParseUnix(std::string_view text) {
  const std::string_view path = text.substr(kUnixPrefix.size());
  if (path.empty() || path.front() != '/') {
    return Refused(text, "needs an absolute path after unix:");
  }
  if (path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return Refused(text, "is longer than a socket's path may be");
  }
  return ListenAddress{.kind = ListenAddress::Kind::kUnix,
                       .host = std::string(path),
                       .port = 0,
                       .local = true};
}

bool IsLoopback(const in6_addr& address) {
  return IN6_IS_ADDR_LOOPBACK(&address) ||
         (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

}  // namespace

std::string ListenAddress::ToString() const {
  switch (kind) {
    case Kind::kUnix:
      return absl::StrCat("unix:", host);
    case Kind::kIpv6:
      return absl::StrCat("[", host, "]:", port);
    case Kind::kIpv4:
      break;
  }
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return ParseUnix(text);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Refused(text, "has no port");
  const std::optional<std::uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port) return Refused(text, "has no port between 0 and 65535");
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    in6_addr address;
    if (inet_pton(AF_INET6, host.c_str(), &address) != 1) {
      return Refused(text, "is not an IPv6 literal");
    }
    return ListenAddress{.kind = ListenAddress::Kind::kIpv6,
                         .host = host,
                         .port = *port,
                         .local = IsLoopback(address)};
  }
  in_addr address;
  if (inet_pton(AF_INET, host.c_str(), &address) != 1) {
    return Refused(text, "is not an IP literal");
  }
  return ListenAddress{.kind = ListenAddress::Kind::kIpv4,
                       .host = host,
                       .port = *port,
                       .local = (ntohl(address.s_addr) >> 24) == 127};
}

}  // namespace heapledger::collector
