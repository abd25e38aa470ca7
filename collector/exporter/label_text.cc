// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/label_text.h"

#include "collector/exporter/clean_text.h"
#include "collector/exporter/text_format.h"

namespace heapledger::collector {

void AppendEscaped(std::string_view text, Quotes quotes, std::string* out) {
  for (;;) {
    const std::size_t special = text.find_first_of("\n\\\"");
    out->append(text.substr(0, special));
    if (special == std::string_view::npos) return;
    switch (text[special]) {
      case '\n':
        out->append("\\n");
        break;
      case '\\':
        out->append("\\\\");
        break;
      default:
        out->append(quotes == Quotes::kEscaped ? "\\\"" : "\"");
    }
    text.remove_prefix(special + 1);
  }
}

void AppendLabels(std::span<const prometheus::ClientMetric::Label> labels,
                  std::string* out) {
  for (const auto& label : labels) {
    if (&label != labels.data()) out->push_back(',');
    out->append(label.name).append("=\"");
    if (label.value.size() <= kMaxLabelBytes && IsPlainText(label.value)) {
      AppendEscaped(label.value, Quotes::kEscaped, out);
    } else {
      AppendEscaped(CleanText(label.value, kMaxLabelBytes), Quotes::kEscaped,
                    out);
    }
    out->push_back('"');
  }
}

}  // namespace heapledger::collector
