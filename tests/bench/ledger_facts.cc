// SPDX-License-Identifier: Apache-2.0
// Says of a ledger how it was kept, so that a benchmark cannot take one mode of
// the shim for another: one line of JSON.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "heapledger/ledger/layout.h"

namespace ledger = heapledger::ledger;

int main(int argc, char** argv) {
  std::FILE* const file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
  alignas(ledger::Header) static unsigned char page[sizeof(ledger::Header)];
  if (file == nullptr || std::fread(page, sizeof page, 1, file) != 1) {
    std::fputs("usage: ledger_facts LEDGER\n", stderr);
    return 2;
  }
  std::fclose(file);
  const auto& header = *reinterpret_cast<const ledger::Header*>(page);
  if (header.magic != ledger::kMagic) {
    std::fputs("ledger_facts: no ledger\n", stderr);
    return 1;
  }
  std::uint64_t degraded = 0;
  for (const auto& count : header.degraded) degraded += count;
  std::printf(
      "{\"mode\": %u, \"stack_mode\": %u, \"callsites\": %u, "
      "\"off_reason\": %u, \"degraded\": %llu}\n",
      header.mode.load(), header.stack_mode.load(), header.callsite_end.load(),
      header.off_reason.load(), static_cast<unsigned long long>(degraded));
  return 0;
}
