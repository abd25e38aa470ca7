// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/fingerprint.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// FNV-1a with the finish of MurmurHash3: fixed for good, as fingerprints live
// in suppression files and dashboards.
constexpr std::uint64_t kSeed = 0xcbf29ce484222325ULL;

std::uint64_t AddText(std::uint64_t hash, std::string_view text) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  // A byte that no name holds ends it: "ab"+"c" is not "a"+"bc".
  return (hash ^ 0xff) * 0x100000001b3ULL;
}

std::uint64_t Finish(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> 33);
}

bool IsCLibrary(std::string_view module) {
  return module.starts_with("libc.so.") || module.starts_with("libc-2.") ||
         module.starts_with("libpthread") || module.starts_with("ld-linux") ||
         module.starts_with("ld-musl");
}

// Clones that the optimizer makes ("f.constprop.0", "f.part.1", "f.cold") are
// the function that they come from; symbol versions are no part of a name.
std::string_view StableName(std::string_view name) {
  name = name.substr(0, name.find('@'));
  for (const std::string_view mark :
       {".constprop.", ".isra.", ".part.", ".cold", ".lto_priv."}) {
    name = name.substr(0, name.find(mark));
  }
  return name;
}

}  // namespace

std::string Fingerprint::ToString() const {
  return absl::StrCat(absl::Hex(value_, absl::kZeroPad16));
}

FrameHash HashFrame(const ResolvedFrame& physical) {
  const std::string_view module = BaseName(physical.module);
  const std::string_view name =
      physical.python
          ? std::string_view(physical.function)
          : StableName(physical.linkage_name.empty() ? physical.function
                                                     : physical.linkage_name);
  FrameHash result;
  result.value = AddText(kSeed, module);
  if (!name.empty()) {
    result.value = AddText(result.value, name);
  } else {
    result.value = AddText(result.value, physical.build_id);
    result.value =
        AddText(result.value, absl::StrCat("+", absl::Hex(physical.rel_pc)));
  }
  result.value = Finish(result.value);
  result.is_main = name == "main" && !physical.python;
  result.is_c_library = IsCLibrary(module);
  return result;
}

Fingerprint FingerprintOf(std::span<const FrameHash> frames, StackEnd end) {
  const auto main = std::ranges::find(frames, true, &FrameHash::is_main);
  std::size_t size = static_cast<std::size_t>(main - frames.begin());
  const bool cut = end == StackEnd::kCut && main == frames.end();
  if (main != frames.end()) {
    ++size;
  } else if (!cut) {
    while (size > 1 && frames[size - 1].is_c_library) --size;
  }
  std::uint64_t hash = kSeed;
  for (const FrameHash& frame : frames.first(size)) {
    hash = Finish(hash * 0x9e3779b97f4a7c15ULL + frame.value);
  }
  return Fingerprint(cut ? Finish(AddText(hash, "[cut]")) : hash);
}

Fingerprint OverflowFingerprint() {
  return Fingerprint(Finish(AddText(kSeed, "[overflow]")));
}

}  // namespace heapledger::collector
