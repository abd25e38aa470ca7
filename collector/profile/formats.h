// SPDX-License-Identifier: Apache-2.0
// A profile as a file that another program, or a person, opens.
//
//   pprof       profile.proto, gzip: `go tool pprof`, and whatever reads it
//   folded      "outermost;…;innermost value" lines, for flame graph tools
//   speedscope  one profile per value, for speedscope.app
//   json        documented at WriteJson
//   text        a tree from the outermost function, for reading
//   svg, html   flame graphs, each one self-contained file
//
// In all of them the values of what is written add up to the profile's totals.
// Names come from the target: whatever bytes they hold, the file is valid.
//
// Thread safety: any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {

enum class ProfileFormat {
  kPprof,
  kFolded,
  kSpeedscope,
  kJson,
  kText,
  kSvg,
  kHtml
};

// By the longest extension known: ".pb.gz", ".folded", ".speedscope.json",
// ".json", ".txt", ".svg", ".html".
[[nodiscard]] absl::StatusOr<ProfileFormat> FormatOfPath(std::string_view path);
// By the same without the dot, as --format takes it, or by "pprof" and
// "speedscope".
[[nodiscard]] absl::StatusOr<ProfileFormat> FormatOfWord(std::string_view word);
// "application/json; charset=utf-8", for who serves it.
[[nodiscard]] std::string ContentTypeOf(ProfileFormat format);

struct WriteOptions {
  // What folded, text and svg show, and what the others show first.
  ProfileValue value = ProfileValue::kLiveBytes;
  // By which json orders its callsites, and html its table at first.
  ProfileValue sort = ProfileValue::kLiveBytes;
  // Callsites that json lists, most first; the rest is summed. 0: all.
  std::size_t limit = 0;
  // HTML that the page shows above its graph, as safe as the caller made it.
  std::string page_section = {};
  // Text leaves out, and counts, what is smaller than this share of the whole.
  double smallest_share = 0.005;
};

// Fails only where there is no memory to compress in.
[[nodiscard]] absl::StatusOr<std::string> WriteProfile(
    const Profile& profile, ProfileFormat format,
    const WriteOptions& options = {});

}  // namespace heapledger::collector
