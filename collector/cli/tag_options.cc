// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/tag_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/config/read_file.h"
#include "collector/tags/tagger.h"

namespace heapledger::collector::cli {

void AddTagsOption(CLI::App& app, std::string& path) {
  app.add_option("--tags", path,
                 "Rules that tag callsites of programs without tags, and "
                 "metrics made from tags (YAML)")
      ->type_name("FILE");
}

absl::StatusOr<TagConfig> ReadTagConfig(const std::string& path) {
  if (path.empty()) return TagConfig();
  const auto text = ReadConfigFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read rules for tags: ", text.status().message(),
                     "; give a file with --tags"));
  }
  return ParseTagConfig(*text, path);
}

void TagHeap(const std::shared_ptr<const TagRules>& rules, Symbols& symbols,
             Heap& heap) {
  if (rules == nullptr) return;
  Tagger tagger(rules, &symbols.For(heap));
  heap.snapshot = tagger.Apply(std::move(heap.snapshot));
}

}  // namespace heapledger::collector::cli
