// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/formats.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

struct FormatFacts {
  ProfileFormat format;
  std::string_view word;
  std::string_view content_type;
};

// A longer word stands before one that it ends in.
constexpr std::array<FormatFacts, 7> kFormats = {{
    {ProfileFormat::kPprof, "pb.gz", "application/octet-stream"},
    {ProfileFormat::kFolded, "folded", "text/plain; charset=utf-8"},
    {ProfileFormat::kSpeedscope, "speedscope.json",
     "application/json; charset=utf-8"},
    {ProfileFormat::kJson, "json", "application/json; charset=utf-8"},
    {ProfileFormat::kText, "txt", "text/plain; charset=utf-8"},
    {ProfileFormat::kSvg, "svg", "image/svg+xml; charset=utf-8"},
    {ProfileFormat::kHtml, "html", "text/html; charset=utf-8"},
}};

absl::Status Unknown(std::string_view what) {
  std::string words;
  for (const FormatFacts& facts : kFormats) {
    absl::StrAppend(&words, words.empty() ? "" : ", ", std::string(facts.word));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      std::string(what), " is no profile format; use one of ", words));
}

}  // namespace

absl::StatusOr<ProfileFormat> FormatOfPath(std::string_view path) {
  const std::string_view name = BaseName(path);
  for (const FormatFacts& facts : kFormats) {
    if (name.ends_with(absl::StrCat(".", std::string(facts.word)))) {
      return facts.format;
    }
  }
  return Unknown(absl::StrCat("the extension of '", std::string(path), "'"));
}

absl::StatusOr<ProfileFormat> FormatOfWord(std::string_view word) {
  if (word == "pprof") return ProfileFormat::kPprof;
  if (word == "speedscope") return ProfileFormat::kSpeedscope;
  for (const FormatFacts& facts : kFormats) {
    if (word == facts.word) return facts.format;
  }
  return Unknown(absl::StrCat("'", std::string(word), "'"));
}

std::string ContentTypeOf(ProfileFormat format) {
  for (const FormatFacts& facts : kFormats) {
    if (facts.format == format) return std::string(facts.content_type);
  }
  return "";
}

absl::StatusOr<std::string> WriteProfile(const Profile& profile,
                                         ProfileFormat format,
                                         const WriteOptions& options) {
  switch (format) {
    case ProfileFormat::kFolded:
      return WriteFolded(profile, options);
    case ProfileFormat::kPprof:
      return WritePprof(profile);
    case ProfileFormat::kSpeedscope:
      return WriteSpeedscope(profile, options);
    case ProfileFormat::kJson:
      return WriteJson(profile, options);
    case ProfileFormat::kSvg:
      return WriteSvg(profile, options);
    case ProfileFormat::kText:
      return WriteText(profile, options);
    case ProfileFormat::kHtml:
      return WriteHtml(profile, options);
  }
  return absl::InvalidArgumentError("write profile: no such format");
}

}  // namespace heapledger::collector
