// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/heap_writer.h"

#include "collector/cli/process_facts.h"
#include "collector/profile/hl_file.h"

namespace heapledger::collector::cli {
namespace {

absl::StatusOr<std::string> EncodeHl(const Heap& heap, Symbols* symbols,
                                     const nlohmann::ordered_json& more_facts) {
  HlWriteOptions options;
  options.names = symbols != nullptr ? &symbols->For(heap) : heap.names.get();
  options.written_by = "heapledger " HEAPLEDGER_VERSION;
  options.marks = heap.marks;
  options.others = heap.others;
  // A file that is written anew keeps what was true when it was taken.
  if (heap.is_file()) {
    for (const char* kept : {"system", "peak"}) {
      if (heap.facts.contains(kept)) {
        options.more_facts[kept] = heap.facts[kept];
      }
    }
  } else {
    options.more_facts["system"] = SystemFacts(*heap.snapshot);
  }
  options.more_facts.update(more_facts);
  return WriteHl(*heap.snapshot, options);
}

}  // namespace

Profile ProfileOf(const Heap& heap, Symbols& symbols) {
  Profile profile = MakeProfile(heap.snapshot, symbols.For(heap));
  profile.facts.moment = heap.moment;
  return profile;
}

absl::StatusOr<std::string> EncodeHeap(
    const Heap& heap, FileFormat format, const WriteOptions& options,
    Symbols* symbols, const nlohmann::ordered_json& more_facts) {
  if (format.is_hl()) return EncodeHl(heap, symbols, more_facts);
  return WriteProfile(ProfileOf(heap, *symbols), *format.profile, options);
}

}  // namespace heapledger::collector::cli
