// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/exposition_format.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <vector>

#include "collector/exporter/quality_list.h"

namespace heapledger::collector {
namespace {

// How well an Accept header likes a format.
struct Liking {
  int weight = 0;
  int exactness = 0;  // 0 for none, 1 for `*/*`, 2 for `x/*`, 3 for its name
  std::size_t place = 0;  // in the list
};

bool HasVersion(const QualityItem& item,
                std::initializer_list<std::string_view> versions) {
  const auto found = std::ranges::find_if(
      item.parameters,
      [](const auto& parameter) { return parameter.first == "version"; });
  return found == item.parameters.end() ||
         std::ranges::find(versions, std::string_view(found->second)) !=
             versions.end();
}

// Of all items that mean the format the most exact one decides; of those the
// one that weighs most.
Liking LikingOf(const std::vector<QualityItem>& items, std::string_view type,
                std::initializer_list<std::string_view> versions) {
  const std::string_view kind = type.substr(0, type.find('/') + 1);
  Liking liking;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string_view value = items[i].value;
    int exactness = 0;
    if (value == type) {
      if (!HasVersion(items[i], versions)) continue;
      exactness = 3;
    } else if (value.size() == kind.size() + 1 && value.starts_with(kind) &&
               value.back() == '*') {
      exactness = 2;
    } else if (value == "*/*") {
      exactness = 1;
    } else {
      continue;
    }
    if (exactness < liking.exactness) continue;
    if (exactness == liking.exactness && items[i].weight <= liking.weight) {
      continue;
    }
    liking = {items[i].weight, exactness, i};
  }
  return liking;
}

}  // namespace

ExpositionFormat ChooseFormat(std::string_view accept) {
  const std::vector<QualityItem> items = ParseQualityList(accept);
  const Liking open =
      LikingOf(items, "application/openmetrics-text", {"1.0.0"});
  const Liking text = LikingOf(items, "text/plain", {"0.0.4"});
  if (open.exactness < 3 || open.weight == 0) return ExpositionFormat::kText;
  if (open.weight != text.weight) {
    return open.weight > text.weight ? ExpositionFormat::kOpenMetrics
                                     : ExpositionFormat::kText;
  }
  const bool text_was_named_first =
      text.exactness == 3 && text.place < open.place;
  return text_was_named_first ? ExpositionFormat::kText
                              : ExpositionFormat::kOpenMetrics;
}

std::string_view ContentTypeOf(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace heapledger::collector
