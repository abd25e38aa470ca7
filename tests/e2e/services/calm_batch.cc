// SPDX-License-Identifier: Apache-2.0
// A batch every 25 seconds: it builds its table for five, works on it for five,
// and frees it.
#include <cmath>
#include <vector>

#include "service.h"

namespace {

struct Row {
  char columns[256];
};

NOINLINE Row* BuildRow() {
  auto* const row = new Row{};
  service::Escape(row);
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate rows(4'000);
  std::vector<Row*> table;
  table.reserve(1 << 20);
  return service::Serve(argc, argv, [&](double now) {
    const double in_period = std::fmod(now, 25);
    const std::size_t due = rows.Due(now, in_period < 5 ? 1 : 0);
    for (std::size_t n = due; n > 0; --n) table.push_back(BuildRow());
    if (in_period < 10) return;
    for (Row* const row : table) delete row;
    table.clear();
  });
}
