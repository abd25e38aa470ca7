// SPDX-License-Identifier: Apache-2.0
// Accept, Accept-Encoding and Authorization of anybody: no text may break their
// parsers, and what they read is in bounds.
//
// Input: one header's value, read as each of them.
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "collector/exporter/credentials.h"
#include "collector/exporter/exposition_format.h"
#include "collector/exporter/gzip.h"
#include "collector/exporter/quality_list.h"
#include "collector/exporter/web_config.h"

namespace heapledger::collector {
namespace {

void Run(std::string_view input) {
  for (const QualityItem& item : ParseQualityList(input)) {
    if (item.weight < 0 || item.weight > 1000) __builtin_trap();
    if (item.value.empty()) __builtin_trap();
  }
  (void)AcceptsGzip(input);
  if (ChooseFormat(input) == ExpositionFormat::kOpenMetrics) {
    // Never by chance: it has to be named.
    std::string lower(input);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (lower.find("application/openmetrics-text") == std::string::npos) {
      __builtin_trap();
    }
  }
  if (const auto duration = ParseGoDuration(input)) {
    if (duration->count() < 0) __builtin_trap();
  }
  const auto sent = ParseAuthorization(input);
  if (!sent) return;
  if (sent->user.find(':') != std::string::npos) __builtin_trap();
  if (sent->kind == Credentials::Kind::kBasic) {
    const auto again = ParseAuthorization(
        "Basic " + absl::Base64Escape(sent->user + ":" + sent->secret));
    if (!again || again->user != sent->user || again->secret != sent->secret) {
      __builtin_trap();
    }
  } else if (sent->secret.empty()) {
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
