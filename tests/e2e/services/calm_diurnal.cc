// SPDX-License-Identifier: Apache-2.0
// Days of 90 seconds: sessions live for three seconds, and at noon nine times
// as many come as at midnight.
#include <cmath>
#include <deque>
#include <utility>

#include "service.h"

namespace {

struct Session {
  char state[512];
};

NOINLINE Session* LogIn() {
  auto* const session = new Session{};
  service::Escape(session);
  return session;
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate logins(500);
  std::deque<std::pair<double, Session*>> sessions;
  return service::Serve(argc, argv, [&](double now) {
    const double load = 1 - 0.8 * std::cos(2 * 3.14159265 * now / 90);
    for (std::size_t n = logins.Due(now, load); n > 0; --n) {
      sessions.emplace_back(now, LogIn());
    }
    while (!sessions.empty() && now - sessions.front().first > 3) {
      delete sessions.front().second;
      sessions.pop_front();
    }
  });
}
