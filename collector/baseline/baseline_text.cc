// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/baseline/baseline_file.h"

namespace heapledger::collector::baseline {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "heapledger baseline";
constexpr std::size_t kMaxPrograms = 1024;

Json SketchJson(const QuantileSketch& sketch) {
  const QuantileSketch::Parts parts = sketch.parts();
  Json json = {{"count", parts.count},     {"min", parts.min},
               {"max", parts.max},         {"mean", parts.mean},
               {"squares", parts.squares}, {"zeros", parts.zeros}};
  json["buckets"] = Json::array();
  for (const auto& [bucket, count] : parts.buckets) {
    json["buckets"].push_back({bucket, count});
  }
  return json;
}

Json SketchesJson(const Sketches& sketches) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kQuantities; ++i) {
    if (sketches[i].count() == 0) continue;
    json[std::string(kQuantityWords[i])] = SketchJson(sketches[i]);
  }
  return json;
}

Json PeriodJson(const Period& period) {
  Json json = {{"begin_ns", period.begin_ns},
               {"end_ns", period.end_ns},
               {"samples", period.samples},
               {"all", SketchesJson(period.all)}};
  json["slots"] = Json::object();
  for (const auto& [slot, sketches] : period.slots) {
    json["slots"][std::to_string(slot)] = SketchesJson(sketches);
  }
  return json;
}

// The readers below return false, or nothing, for what makes no sense.

bool Read(const Json& json, const char* key, std::uint64_t* number) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned()) return false;
  *number = found->get<std::uint64_t>();
  return true;
}

bool Read(const Json& json, const char* key, double* number) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) return false;
  *number = found->get<double>();
  return std::isfinite(*number);
}

std::optional<QuantileSketch> ReadSketch(const Json& json) {
  QuantileSketch::Parts parts;
  if (!json.is_object() || !Read(json, "count", &parts.count) ||
      !Read(json, "min", &parts.min) || !Read(json, "max", &parts.max) ||
      !Read(json, "mean", &parts.mean) ||
      !Read(json, "squares", &parts.squares) ||
      !Read(json, "zeros", &parts.zeros)) {
    return std::nullopt;
  }
  const auto buckets = json.find("buckets");
  if (buckets == json.end() || !buckets->is_array()) return std::nullopt;
  for (const Json& bucket : *buckets) {
    if (!bucket.is_array() || bucket.size() != 2 ||
        !bucket[0].is_number_integer() || !bucket[1].is_number_unsigned()) {
      return std::nullopt;
    }
    const auto index = bucket[0].get<std::int64_t>();
    if (index < -100'000 || index > 100'000) return std::nullopt;
    if (!parts.buckets
             .emplace(static_cast<std::int32_t>(index),
                      bucket[1].get<std::uint64_t>())
             .second) {
      return std::nullopt;
    }
  }
  return QuantileSketch::FromParts(parts);
}

bool ReadSketches(const Json& json, Sketches* sketches) {
  if (!json.is_object()) return false;
  for (const auto& [word, value] : json.items()) {
    const auto quantity = QuantityIndex(word);
    auto sketch = ReadSketch(value);
    if (!quantity || !sketch) return false;
    (*sketches)[*quantity] = *std::move(sketch);
  }
  return true;
}

std::optional<Period> ReadPeriod(const Json& program, const char* key) {
  const auto json = program.find(key);
  Period period;
  if (json == program.end() || !json->is_object() ||
      !Read(*json, "begin_ns", &period.begin_ns) ||
      !Read(*json, "end_ns", &period.end_ns) ||
      !Read(*json, "samples", &period.samples) || !json->contains("all") ||
      !ReadSketches((*json)["all"], &period.all) || !json->contains("slots") ||
      !(*json)["slots"].is_object()) {
    return std::nullopt;
  }
  if (period.begin_ns > period.end_ns) return std::nullopt;
  for (const auto& [word, value] : (*json)["slots"].items()) {
    int slot = -1;
    if (!absl::SimpleAtoi(word, &slot) || slot < 0 || slot >= kSlots ||
        !ReadSketches(value, &period.slots[slot])) {
      return std::nullopt;
    }
  }
  return period;
}

absl::Status Refused(const std::string& source, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("baseline ", source, ": ", why,
                   "; record another with heapledger baseline record"));
}

}  // namespace

std::string BaselineText(const Baseline& baseline) {
  Json json = {{"format", kFormat}, {"version", kFileVersion}};
  json["programs"] = Json::object();
  for (const auto& [program, learned] : baseline) {
    json["programs"][program] = {{"current", PeriodJson(learned.current)},
                                 {"previous", PeriodJson(learned.previous)}};
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Baseline> ParseBaseline(std::string_view text,
                                       const std::string& source) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("format") ||
      json["format"] != kFormat) {
    return Refused(source, "it is no baseline of memory");
  }
  if (!json.contains("version") || json["version"] != kFileVersion) {
    return Refused(source, absl::StrCat("its version is not ", kFileVersion,
                                        ", the one that this build reads"));
  }
  if (!json.contains("programs") || !json["programs"].is_object() ||
      json["programs"].size() > kMaxPrograms) {
    return Refused(source, "it lists no programs");
  }
  Baseline baseline;
  for (const auto& [program, value] : json["programs"].items()) {
    if (!value.is_object()) return Refused(source, "a program has no periods");
    auto current = ReadPeriod(value, "current");
    auto previous = ReadPeriod(value, "previous");
    if (!current || !previous) {
      return Refused(source, "the figures of a program contradict each other");
    }
    baseline[program] = {*std::move(current), *std::move(previous)};
  }
  return baseline;
}

}  // namespace heapledger::collector::baseline
