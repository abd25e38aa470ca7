// SPDX-License-Identifier: Apache-2.0
// The page: template, style and scripts of page/ with the data in the middle.
// Its policy lets nothing in from anywhere and runs the scripts of page/ alone,
// so that a name that got past the escapes would still do nothing.
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/gzip_file.h"
#include "collector/profile/page_assets.h"
#include "collector/profile/page_data.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

// Data beyond is packed: the file must go by mail. What is below can be read
// with an editor, and by a browser that cannot unpack.
constexpr std::size_t kLargestPlain = std::size_t{128} * 1024;

std::string_view AssetText(std::string_view name) {
  for (const EmbeddedFile& file : PageAssets()) {
    if (file.name == name) return file.text;
  }
  return "";
}

std::string HashesOf(std::string_view extension) {
  std::string hashes;
  for (const EmbeddedFile& file : PageAssets()) {
    if (!file.name.ends_with(extension)) continue;
    absl::StrAppend(&hashes, "'", std::string(file.csp_hash), "' ");
  }
  return hashes;
}

std::string Scripts() {
  std::string elements;
  for (const EmbeddedFile& file : PageAssets()) {
    if (!file.name.ends_with(".js")) continue;
    absl::StrAppend(&elements, "<script>", std::string(file.text),
                    "</script>\n");
  }
  return elements;
}

struct Data {
  std::string encoding;
  std::string text;
};

absl::StatusOr<Data> DataOf(const Profile& profile,
                            const WriteOptions& options) {
  std::string json = PageData(profile, options);
  if (json.size() <= kLargestPlain) return Data{"json", std::move(json)};
  const absl::StatusOr<std::string> packed = GzipFile(json);
  if (!packed.ok()) return packed.status();
  return Data{"gzip", absl::Base64Escape(*packed)};
}

}  // namespace

absl::StatusOr<std::string> WriteHtml(const Profile& profile,
                                      const WriteOptions& options) {
  const absl::StatusOr<Data> data = DataOf(profile, options);
  if (!data.ok()) return data.status();
  const auto text_of = [&](std::string_view name) -> std::string {
    if (name == "title") {
      return absl::StrCat(
          EscapeMarkup(profile.facts.program), " ", profile.facts.pid,
          profile.is_difference ? " changes" : " heap", " — heapledger");
    }
    if (name == "style") return std::string(AssetText("style.css"));
    if (name == "style-hashes") return HashesOf(".css");
    if (name == "script-hashes") return HashesOf(".js");
    if (name == "encoding") return data->encoding;
    if (name == "data") return data->text;
    if (name == "section") return options.page_section;
    return Scripts();
  };
  std::string page;
  std::string_view rest = AssetText("page.html");
  for (std::size_t open = rest.find("{{"); open != std::string_view::npos;
       open = rest.find("{{")) {
    const std::size_t close = rest.find("}}", open);
    page += rest.substr(0, open);
    page += text_of(rest.substr(open + 2, close - open - 2));
    rest.remove_prefix(close + 2);
  }
  page += rest;
  return page;
}

}  // namespace heapledger::collector
