// SPDX-License-Identifier: Apache-2.0
// In which form a heap is written: as a snapshot file of our own, or as one of
// the profile formats.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "collector/profile/formats.h"

namespace heapledger::collector::cli {

struct FileFormat {
  std::optional<ProfileFormat> profile;  // none: .hl

  [[nodiscard]] bool is_hl() const { return !profile.has_value(); }
};

// "hl", or an extension without its dot ("pb.gz", "html"); "pprof" and
// "speedscope" are taken too.
[[nodiscard]] absl::StatusOr<FileFormat> ParseFileFormat(std::string_view word);

// `word` where given, else by the extension of `path`.
[[nodiscard]] absl::StatusOr<FileFormat> FileFormatFor(std::string_view path,
                                                       std::string_view word);

// "heap.pb.gz", "-peak" -> "heap-peak.pb.gz"
[[nodiscard]] std::string BeforeExtension(std::string_view path,
                                          std::string_view addition);

// Help for --format.
inline constexpr char kFormatHelp[] =
    "hl, pb.gz, folded, speedscope.json, json, txt, svg or html";

}  // namespace heapledger::collector::cli
