// SPDX-License-Identifier: Apache-2.0
// Leaks one block a second among 100,000 that the same line allocates and that
// are freed: a request in a hundred thousand takes a path that forgets it.
#include "service.h"

namespace {

struct Request {
  std::uint64_t id;
  char body[56];
};

NOINLINE Request* ParseRequest(std::uint64_t id) {
  auto* const request = new Request{id, {}};
  service::Escape(request);
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate requests(100'000);
  std::uint64_t id = 0;
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = requests.Due(now); n > 0; --n) {
      Request* const request = ParseRequest(++id);
      if (id % 100'000 != 0) delete request;
    }
  });
}
