// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/http_get.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::size_t kMaxBytes = 256 << 20;
constexpr timeval kPatience = {10, 0};

absl::Status Failed(const std::string& where, std::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot ask the collector at ",
                                             where, ": ", std::string(why)));
}

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

// A connected socket, or -1 with errno.
int Connect(const addrinfo* addresses) {
  for (const addrinfo* at = addresses; at != nullptr; at = at->ai_next) {
    const int connection =
        socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (connection < 0) continue;
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience,
               sizeof kPatience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience,
               sizeof kPatience);
    if (connect(connection, at->ai_addr, at->ai_addrlen) == 0) {
      return connection;
    }
    const int error = errno;
    close(connection);
    errno = error;
  }
  return -1;
}

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& host,
                                    const std::string& port,
                                    const std::string& path) {
  const std::string where = absl::StrCat(host, ":", port);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* addresses = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &addresses);
  if (error != 0) return Failed(where, gai_strerror(error));
  const absl::Cleanup free_them = [addresses] { freeaddrinfo(addresses); };
  const int connection = Connect(addresses);
  if (connection < 0) return Failed(where, ErrnoText(errno));
  const absl::Cleanup close_it = [connection] { close(connection); };
  // Version 1.0: the answer ends where the connection does.
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", where, "\r\n\r\n");
  if (send(connection, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Failed(where, ErrnoText(errno));
  }
  std::string answer;
  char buffer[65536];
  for (;;) {
    const ssize_t size = recv(connection, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Failed(where, ErrnoText(errno));
    if (size == 0) break;
    answer.append(buffer, static_cast<std::size_t>(size));
    if (answer.size() > kMaxBytes)
      return Failed(where, "its answer is endless");
  }
  const std::size_t body = answer.find("\r\n\r\n");
  const std::string status = answer.substr(0, answer.find("\r\n"));
  if (!status.starts_with("HTTP/1.") || body == std::string::npos) {
    return Failed(where, "what it says is no HTTP");
  }
  if (status.find(" 200 ") == std::string::npos) {
    return Failed(where,
                  absl::StrCat("it says '", status.substr(9), "' to ", path));
  }
  return answer.substr(body + 4);
}

}  // namespace heapledger::collector::cli
