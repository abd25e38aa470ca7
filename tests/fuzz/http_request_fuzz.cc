// SPDX-License-Identifier: Apache-2.0
// Bytes of anybody on a connection of the HTTP front end: it answers them with
// well-formed responses or closes, and shows nothing to who is not allowed to
// read.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "collector/exporter/http_server.h"

namespace heapledger::collector {
namespace {

constexpr std::string_view kSecret = "the figures of the program";

class Target {
 public:
  Target() : server_(Options()) {
    for (const HttpMethod method : {HttpMethod::kGet, HttpMethod::kPost}) {
      server_.Handle(
          "/metrics", method, RunOn::kWorkerShared, [](const HttpRequest&) {
            return HttpResponse{.body = std::string(kSecret), .headers = {}};
          });
    }
    server_.Handle(
        "/-/healthy", HttpMethod::kGet, RunOn::kIoThread,
        [](const HttpRequest&) {
          return HttpResponse{.body = "healthy\n", .headers = {}};
        },
        Access::kOpen);
    if (!server_.Start().ok()) std::abort();
  }
  ~Target() {
    server_.Stop();
    ::unlink(Token().c_str());
  }

  std::string Answer(std::string_view request) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, Path().c_str(), sizeof address.sun_path - 1);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) != 0) {
      std::abort();
    }
    while (!request.empty()) {
      const ssize_t sent =
          ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      request.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(socket, SHUT_WR);
    std::string answer;
    char piece[4096];
    for (;;) {
      const ssize_t size = ::recv(socket, piece, sizeof piece, 0);
      if (size <= 0) break;
      answer.append(piece, static_cast<std::size_t>(size));
    }
    ::close(socket);
    return answer;
  }

 private:
  static std::string Path() {
    return "/tmp/http_request_fuzz." + std::to_string(::getpid());
  }
  static std::string Token() { return Path() + ".token"; }
  static HttpServerOptions Options() {
    std::ofstream(Token()) << "fuzz-token-of-the-day\n";
    HttpServerOptions options;
    options.listen = {ParseListenAddress("unix:" + Path()).value()};
    options.bearer_token_file = Token();
    return options;
  }

  HttpServer server_;
};

void Run(std::string_view input) {
  static Target target;
  const std::string answer = target.Answer(input);
  if (!answer.empty() && !answer.starts_with("HTTP/1.1 ")) __builtin_trap();
  const bool knows = input.find("fuzz-token-of-the-day") != input.npos;
  if (!knows && answer.find(kSecret) != std::string::npos) __builtin_trap();
}

}  // namespace
}  // namespace heapledger::collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
