// SPDX-License-Identifier: Apache-2.0
// Web configuration files of anybody: whatever is in them, they are read or
// refused in one sentence that names the file, and what was read is usable.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/exporter/password_hash.h"
#include "collector/exporter/web_config.h"

namespace heapledger::collector {
namespace {

void Run(const std::string& input) {
  const auto config = ParseWebConfig(input, "fuzz.yml");
  if (!config.ok()) {
    const std::string why(config.status().message());
    if (!why.starts_with("fuzz.yml")) __builtin_trap();
    return;
  }
  for (const auto& [name, hash] : config->users) {
    if (HashFault(hash) || name.find(':') != std::string::npos) {
      __builtin_trap();
    }
  }
  for (const auto& [name, value] : config->headers) {
    // It would end the header, or the response.
    if (value.find_first_of("\r\n") != std::string::npos) __builtin_trap();
  }
  if (config->rate_interval.count() < 0) __builtin_trap();
  if (config->tls && (config->tls->min_minor < 2 ||
                      config->tls->min_minor > config->tls->max_minor)) {
    __builtin_trap();
  }
}

}  // namespace
}  // namespace heapledger::collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
