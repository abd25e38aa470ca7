// SPDX-License-Identifier: Apache-2.0
// A sawtooth: records pile up for seven seconds and are all flushed.
#include <vector>

#include "service.h"

namespace {

struct Record {
  char text[192];
};

NOINLINE Record* ReadRecord() {
  auto* const record = new Record{};
  service::Escape(record);
  return record;
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate records(3'000);
  std::vector<Record*> pending;
  pending.reserve(1 << 20);
  double flushed = 0;
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = records.Due(now); n > 0; --n) {
      pending.push_back(ReadRecord());
    }
    if (now - flushed < 7) return;
    for (Record* const record : pending) delete record;
    pending.clear();
    flushed = now;
  });
}
