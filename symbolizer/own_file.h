// SPDX-License-Identifier: Apache-2.0
// The file that the target has loaded, wherever it can still be had: through
// the live process (its mount namespace, its mappings, its executable), below
// the root that was given, at the place itself. A file that proves to be
// another one is never returned.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/frame.h"

namespace heapledger::symbolizer {

class OwnFile {
 public:
  // Of several failures the one that tells most: kFailedPrecondition if there
  // is a file with another build id, or one that nothing proves to be the
  // same; kDataLoss for a damaged one; else that of the last place.
  static absl::StatusOr<ElfFile> Open(const ModuleRef& ref,
                                      const std::string& root);
};

}  // namespace heapledger::symbolizer
