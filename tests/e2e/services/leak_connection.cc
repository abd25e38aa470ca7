// SPDX-License-Identifier: Apache-2.0
// Leaks per connection, over real sockets on loopback: the session's end frees
// the session and forgets its input buffer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "service.h"

namespace {

struct Session {
  char* input;
  int socket;
};

NOINLINE char* NewInputBuffer() {
  auto* const buffer = new char[512];
  service::Escape(buffer);
  return buffer;
}

NOINLINE Session* OpenSession(int socket) {
  auto* const session = new Session{NewInputBuffer(), socket};
  service::Escape(session);
  return session;
}

void CloseSession(Session* session) {
  close(session->socket);
  delete session;  // not session->input
}

int Listen(sockaddr_in* address) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof *address;
  auto* const any = reinterpret_cast<sockaddr*>(address);
  if (listener < 0 || bind(listener, any, size) != 0 ||
      listen(listener, 64) != 0 || getsockname(listener, any, &size) != 0) {
    std::perror("listen on loopback");
    std::exit(1);
  }
  return listener;
}

void ServeOne(int listener, const sockaddr_in& address) {
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(client, reinterpret_cast<const sockaddr*>(&address),
              sizeof address) != 0) {
    close(client);
    return;
  }
  Session* const session = OpenSession(accept(listener, nullptr, nullptr));
  const char hello[] = "hello";
  if (write(client, hello, sizeof hello) == sizeof hello) {
    const ssize_t got = read(session->socket, session->input, 512);
    (void)got;
  }
  close(client);
  CloseSession(session);
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_in address = {};
  const int listener = Listen(&address);
  service::Rate connections(20);
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = connections.Due(now); n > 0; --n) {
      ServeOne(listener, address);
    }
  });
}
