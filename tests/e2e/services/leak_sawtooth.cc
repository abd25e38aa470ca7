// SPDX-License-Identifier: Apache-2.0
// Leaks under a sawtooth a hundred times as high: records pile up for six
// seconds and are flushed, but for one in 100, which a filter drops without
// freeing it.
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

void Flush(std::vector<Record*>& pending) {
  for (Record* const record : pending) delete record;
  pending.clear();
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate records(2'000);
  std::vector<Record*> pending;
  pending.reserve(1 << 20);
  std::uint64_t count = 0;
  double flushed = 0;
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = records.Due(now); n > 0; --n) {
      Record* const record = ReadRecord();
      if (++count % 100 != 0) pending.push_back(record);
    }
    if (now - flushed < 6) return;
    Flush(pending);
    flushed = now;
  });
}
