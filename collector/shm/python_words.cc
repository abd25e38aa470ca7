// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "collector/shm/snapshot.h"
#include "heapledger/ledger/reasons.h"

namespace heapledger::collector {
namespace {

struct PythonWords {
  const char* word;
  const char* text;
};

constexpr PythonWords kPythonWords[] = {
    {"none", "no CPython was seen"},
    {"not_asked", "it was not asked to read Python frames"},
    {"waiting", "no Python code ran yet"},
    {"frames", "stacks hold Python frames"},
    {"unknown_version", "it does not know the layout of this version"},
    {"free_threaded", "a free-threaded build has no lock to read frames under"},
    {"layout_doubt",
     "its objects were not where this version should have them"},
    {"stack_mode", "Python frames need --stack full"},
    {"no_memory", "address space was refused"},
};
static_assert(std::size(kPythonWords) ==
              static_cast<std::size_t>(ledger::PythonState::kNoMemory) + 1);

}  // namespace

std::string PythonStateWord(std::uint32_t state) {
  return state < std::size(kPythonWords) ? kPythonWords[state].word
                                         : absl::StrCat("unknown_", state);
}

std::string PythonStateText(std::uint32_t state) {
  return state < std::size(kPythonWords)
             ? kPythonWords[state].text
             : absl::StrCat("state ", state,
                            ", which this build does not know");
}

bool PythonFramesRefused(std::uint32_t state) {
  return state > static_cast<std::uint32_t>(ledger::PythonState::kFrames);
}

std::string PythonVersionText(std::uint32_t version) {
  std::string text = absl::StrCat(version >> 24, ".", version >> 16 & 0xff);
  // Up to 3.10 no more is known.
  if ((version & 0xffff) != 0) absl::StrAppend(&text, ".", version >> 8 & 0xff);
  return text;
}

}  // namespace heapledger::collector
