// SPDX-License-Identifier: Apache-2.0
// Any bytes as a linkage name: bounded text in bounded time, whatever it says.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "symbolizer/bounded_demangler.h"
#include "symbolizer/demangle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using heapledger::symbolizer::BoundedDemangler;
  const std::string name(reinterpret_cast<const char*>(data), size);
  const std::string text = heapledger::symbolizer::Demangle(name);
  // D has no callback; its bound is on the references.
  if (!name.starts_with("_D") && text.size() > BoundedDemangler::kMaxOutput &&
      text.size() > name.size()) {
    std::abort();
  }
  return 0;
}
