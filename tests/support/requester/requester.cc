// SPDX-License-Identifier: Apache-2.0
// Asks a program through its ledger's control word, for tests.
//
//   requester LEDGER trim             as a rule of the collector's would
//   requester LEDGER pressure LEVEL   1 to 5
//   requester LEDGER scribble MS      writes noise to the word for so long
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

#include "collector/shm/control_word.h"
#include "collector/shm/ledger_reader.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

int Ask(const char* path, const ControlRequest& request) {
  auto reader = LedgerReader::Open(path);
  if (!reader.ok()) return 1;
  const auto snapshot = (*reader)->Take();
  if (!snapshot.ok()) return 1;
  FoundLedger found;
  found.path = path;
  found.owner = geteuid();
  auto word = ControlWord::Open(found, snapshot->identity);
  return word.ok() && (*word)->Ask(request).ok() ? 0 : 1;
}

int Scribble(const char* path, std::chrono::milliseconds duration) {
  const int file = open(path, O_RDWR);
  void* const page = mmap(nullptr, ledger::kPageBytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED, file, 0);
  if (page == MAP_FAILED) return 1;
  auto& control = static_cast<ledger::Header*>(page)->control;
  std::mt19937_64 noise(4711);
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) {
    control.store(noise(), std::memory_order_relaxed);
    usleep(200);
  }
  return 0;
}

}  // namespace
}  // namespace heapledger::collector

int main(int argc, char** argv) {
  using heapledger::collector::Ask;
  using heapledger::collector::PressureLevel;
  if (argc < 3) return 2;
  const std::string_view what = argv[2];
  if (what == "trim") {
    return Ask(argv[1],
               {.trim = true,
                .trim_by = heapledger::collector::TrimAsker::kCollector});
  }
  if (argc != 4) return 2;
  const int number = std::atoi(argv[3]);
  if (what == "pressure") {
    return Ask(argv[1], {.pressure = static_cast<PressureLevel>(number)});
  }
  if (what == "scribble") {
    return heapledger::collector::Scribble(argv[1],
                                           std::chrono::milliseconds(number));
  }
  return 2;
}
