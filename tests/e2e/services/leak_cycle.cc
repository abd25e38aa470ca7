// SPDX-License-Identifier: Apache-2.0
// Reference cycles: each peer keeps the other one alive after both have left.
#include <memory>

#include "service.h"

namespace {

struct Peer {
  std::shared_ptr<Peer> other;
  char state[96];
};

NOINLINE std::shared_ptr<Peer> MakePeer() {
  auto peer = std::make_shared<Peer>();
  service::Escape(peer.get());
  return peer;
}

NOINLINE void MeetAndPart() {
  const std::shared_ptr<Peer> a = MakePeer();
  const std::shared_ptr<Peer> b = MakePeer();
  a->other = b;
  b->other = a;
}

NOINLINE void PassBy() {
  const std::shared_ptr<Peer> a = MakePeer();
  a->other = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate meetings(10);
  service::Rate passings(500);
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = meetings.Due(now); n > 0; --n) MeetAndPart();
    for (std::size_t n = passings.Due(now); n > 0; --n) PassBy();
  });
}
