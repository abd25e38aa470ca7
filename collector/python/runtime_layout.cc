// SPDX-License-Identifier: Apache-2.0
#include "collector/python/runtime_layout.h"

namespace heapledger::collector::python {

std::optional<RuntimeLayout> LayoutOf(const PythonVersion& version) {
  if (version.major != 3) return std::nullopt;
  switch (version.minor) {
    case 9:
    case 10:
      return RuntimeLayout{32, 0, 616};
    case 11:
      return RuntimeLayout{40, 0, 648};
    case 12:
      return RuntimeLayout{40, 0, 112};
    default:
      return std::nullopt;
  }
}

}  // namespace heapledger::collector::python
