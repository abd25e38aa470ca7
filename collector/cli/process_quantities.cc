// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/process_quantities.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {
namespace {

namespace fs = std::filesystem;
using baseline::Quantity;

// "Name:   123 kB" lines, in bytes.
std::map<std::string, double> KilobyteLines(const std::string& path) {
  std::map<std::string, double> lines;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(':');
    const std::size_t unit = line.rfind(" kB");
    if (colon == std::string::npos || unit == std::string::npos) continue;
    std::uint64_t kib = 0;
    if (absl::SimpleAtoi(line.substr(colon + 1, unit - colon - 1), &kib)) {
      lines[line.substr(0, colon)] = static_cast<double>(kib) * 1024;
    }
  }
  return lines;
}

std::optional<double> Find(const std::map<std::string, double>& lines,
                           const char* name) {
  const auto found = lines.find(name);
  return found == lines.end() ? std::nullopt : std::optional(found->second);
}

// Another user's descriptors cannot be counted without the right to.
std::optional<double> CountDescriptors(const std::string& process) {
  std::error_code error;
  double count = 0;
  for (fs::directory_iterator entry(process + "/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  if (error) return std::nullopt;
  return count;
}

}  // namespace

std::optional<baseline::Sample> QuantitiesOf(std::uint32_t pid,
                                             const std::string& proc_root) {
  const std::string process = absl::StrCat(proc_root, "/", pid);
  const auto status = KilobyteLines(process + "/status");
  baseline::Sample sample;
  sample[Quantity::kRssBytes] = Find(status, "VmRSS");
  if (!sample[Quantity::kRssBytes]) return std::nullopt;
  sample[Quantity::kVmsBytes] = Find(status, "VmSize");
  sample[Quantity::kOpenFds] = CountDescriptors(process);
  const auto memory = KilobyteLines(proc_root + "/meminfo");
  const auto total = Find(memory, "MemTotal");
  const auto available = Find(memory, "MemAvailable");
  sample[Quantity::kAvailableBytes] = available;
  if (total && available && *total > 0) {
    sample[Quantity::kUsageRatio] = 1 - *available / *total;
  }
  sample.realtime_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
  return sample;
}

void AddHeap(const LedgerSnapshot& snapshot, baseline::Sample& sample) {
  // Zeros would say that the heap is empty.
  if (snapshot.never_armed()) return;
  sample[Quantity::kHeapLiveBytes] =
      static_cast<double>(snapshot.totals.live_bytes());
  sample[Quantity::kHeapLiveObjects] =
      static_cast<double>(snapshot.totals.live_objects());
}

}  // namespace heapledger::collector::cli
