// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/file_format.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {

absl::StatusOr<FileFormat> ParseFileFormat(std::string_view word) {
  if (word == "hl") return FileFormat{};
  if (word == "pprof") return FileFormat{ProfileFormat::kPprof};
  if (word == "speedscope") return FileFormat{ProfileFormat::kSpeedscope};
  const auto format = FormatOfWord(word);
  if (format.ok()) return FileFormat{*format};
  return absl::InvalidArgumentError(absl::StrCat(
      "'", std::string(word), "' is no format; use one of ", kFormatHelp));
}

absl::StatusOr<FileFormat> FileFormatFor(std::string_view path,
                                         std::string_view word) {
  if (!word.empty()) return ParseFileFormat(word);
  if (path.ends_with(".hl")) return FileFormat{};
  const auto format = FormatOfPath(path);
  if (format.ok()) return FileFormat{*format};
  return absl::InvalidArgumentError(absl::StrCat(
      "the name ", std::string(path), " tells no format; end it in one of ",
      kFormatHelp, ", or give --format"));
}

std::string BeforeExtension(std::string_view path, std::string_view addition) {
  std::size_t at = path.size();
  // A longer one stands before one that it ends in.
  for (const std::string_view extension :
       {".hl", ".pb.gz", ".folded", ".speedscope.json", ".json", ".txt", ".svg",
        ".html"}) {
    if (!path.ends_with(extension)) continue;
    at -= extension.size();
    break;
  }
  return absl::StrCat(std::string(path.substr(0, at)), std::string(addition),
                      std::string(path.substr(at)));
}

}  // namespace heapledger::collector::cli
