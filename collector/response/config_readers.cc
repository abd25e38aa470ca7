// SPDX-License-Identifier: Apache-2.0
#include "collector/response/config_readers.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {
namespace {

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '_' || c == '-' || c == ':' || c == '.';
         });
}

}  // namespace

YamlValue::Reader Into(std::string& text) {
  return [&text](const YamlValue& value) {
    absl::StatusOr<std::string> read = value.String();
    if (read.ok()) text = *std::move(read);
    return read.status();
  };
}

YamlValue::Reader Into(bool& flag) {
  return [&flag](const YamlValue& value) {
    const absl::StatusOr<bool> read = value.Bool();
    if (read.ok()) flag = *read;
    return read.status();
  };
}

YamlValue::Reader Into(std::vector<std::string>& words) {
  return [&words](const YamlValue& value) -> absl::Status {
    const auto items = value.List();
    if (!items.ok()) return items.status();
    if (items->size() > kMaxWords) {
      return value.Error(absl::StrCat("has more than ", kMaxWords, " entries"));
    }
    words.clear();
    for (const YamlValue& item : *items) {
      if (absl::Status ok = Into(words.emplace_back())(item); !ok.ok()) {
        return ok;
      }
    }
    return absl::OkStatus();
  };
}

YamlValue::Reader IntoSpan(Duration& span, Duration least) {
  return [&span, least](const YamlValue& value) -> absl::Status {
    const auto text = value.String();
    if (!text.ok()) return text.status();
    const auto read = ParseSpan(*text);
    if (!read || *read < least) {
      return value.Error(
          absl::StrCat("is '", *text, "', no time of ", SpanText(least),
                       " or more; give one such as 30s, 5m or 1h30m"));
    }
    span = *read;
    return absl::OkStatus();
  };
}

absl::StatusOr<int> ReadWhole(const YamlValue& value, int least, int most) {
  const auto number = value.Number();
  if (!number.ok()) return number.status();
  if (*number < least || *number > most || std::floor(*number) != *number) {
    return value.Error(
        absl::StrCat("is no whole number from ", least, " to ", most));
  }
  return static_cast<int>(*number);
}

YamlValue::Reader IntoBytes(std::uint64_t& bytes) {
  return [&bytes](const YamlValue& value) -> absl::Status {
    const auto text = value.String();
    if (!text.ok()) return text.status();
    const auto read = ParseBytes(*text);
    if (!read || *read == 0) {
      return value.Error(
          absl::StrCat("is '", *text, "', no size such as 64MiB"));
    }
    bytes = *read;
    return absl::OkStatus();
  };
}

YamlValue::Reader IntoAmount(Amount& amount) {
  return [&amount](const YamlValue& value) -> absl::Status {
    const auto text = value.String();
    if (!text.ok()) return text.status();
    if (text->ends_with('%')) {
      if (const auto ratio = ParseRatio(*text)) {
        amount = {*ratio, 0};
        return absl::OkStatus();
      }
    } else if (const auto bytes = ParseBytes(*text); bytes && *bytes != 0) {
      amount = {0, *bytes};
      return absl::OkStatus();
    }
    return value.Error(
        absl::StrCat("is '", *text,
                     "', neither a share such as 10% nor a size such as "
                     "64MiB"));
  };
}

YamlValue::Reader IntoName(std::string& name) {
  return [&name](const YamlValue& value) -> absl::Status {
    if (absl::Status ok = Into(name)(value); !ok.ok()) return ok;
    if (IsName(name)) return absl::OkStatus();
    return value.Error(absl::StrCat(
        "'", name, "' may have a-z, 0-9, '_', '-', ':' and '.', at most 64"));
  };
}

}  // namespace heapledger::collector::response
