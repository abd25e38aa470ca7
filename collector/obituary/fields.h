// SPDX-License-Identifier: Apache-2.0
// Structs as JSON and back, from one list of fields per struct:
//   template <typename Archive> void Fields(Archive& archive, Thing& thing) {
//     archive("pid", thing.pid); … }
// What is written leaves out what says nothing (0, "", none, []). What is read
// may be anybody's: a field that is missing or of another type stays as it is,
// and lists have an end.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace heapledger::collector::obituary {

class JsonFields {
 public:
  template <typename Value>
  void operator()(const char* name, Value& value) {
    nlohmann::ordered_json json = ToJson(value);
    if (!json.is_null()) json_[name] = std::move(json);
  }
  [[nodiscard]] nlohmann::ordered_json Take() { return std::move(json_); }

 private:
  template <typename Value>
  requires std::is_arithmetic_v<Value>
  static nlohmann::ordered_json ToJson(Value& value) {
    if (value == Value()) return nullptr;
    return value;
  }
  static nlohmann::ordered_json ToJson(std::string& text) {
    if (text.empty()) return nullptr;
    return text;
  }
  template <typename Value>
  static nlohmann::ordered_json ToJson(std::optional<Value>& value) {
    if (!value) return nullptr;
    if constexpr (std::is_arithmetic_v<Value>) {
      return *value;
    } else {
      return ToJson(*value);
    }
  }
  template <typename Value>
  static nlohmann::ordered_json ToJson(std::vector<Value>& list) {
    if (list.empty()) return nullptr;
    auto json = nlohmann::ordered_json::array();
    for (Value& value : list) json.push_back(ToJson(value));
    return json;
  }
  template <typename Struct>
  requires std::is_class_v<Struct>
  static nlohmann::ordered_json ToJson(Struct& value) {
    JsonFields fields;
    Fields(fields, value);
    return fields.Take();
  }

  nlohmann::ordered_json json_ = nlohmann::ordered_json::object();
};

class FieldsOfJson {
 public:
  static constexpr std::size_t kMaxItems = 4096;  // of a list

  explicit FieldsOfJson(const nlohmann::ordered_json& json) : json_(json) {}

  template <typename Value>
  void operator()(const char* name, Value& value) {
    if (!json_.is_object()) return;
    const auto found = json_.find(name);
    if (found != json_.end()) (void)Read(*found, value);
  }

 private:
  using Json = nlohmann::ordered_json;

  // Whether it was of the right type.
  static bool Read(const Json& json, bool& value) {
    if (json.is_boolean()) value = json.get<bool>();
    return json.is_boolean();
  }
  static bool Read(const Json& json, double& value) {
    if (!json.is_number() || !std::isfinite(json.get<double>())) return false;
    value = json.get<double>();
    return true;
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) static bool Read(const Json& json,
                                                         Number& value) {
    const auto take = [&value](auto number) {
      if (!std::in_range<Number>(number)) return false;
      value = static_cast<Number>(number);
      return true;
    };
    if (json.is_number_unsigned()) return take(json.get<std::uint64_t>());
    return json.is_number_integer() && take(json.get<std::int64_t>());
  }
  static bool Read(const Json& json, std::string& text) {
    if (json.is_string()) text = json.get<std::string>();
    return json.is_string();
  }
  template <typename Value>
  static bool Read(const Json& json, std::optional<Value>& value) {
    Value read{};
    if (!Read(json, read)) return false;
    value = std::move(read);
    return true;
  }
  template <typename Value>
  static bool Read(const Json& json, std::vector<Value>& list) {
    if (!json.is_array()) return false;
    for (const Json& item : json) {
      if (list.size() == kMaxItems) break;
      Value read{};
      if (Read(item, read)) list.push_back(std::move(read));
    }
    return true;
  }
  template <typename Struct>
  requires std::is_class_v<Struct>
  static bool Read(const Json& json, Struct& value) {
    if (!json.is_object()) return false;
    FieldsOfJson fields(json);
    Fields(fields, value);
    return true;
  }

  const Json& json_;
};

}  // namespace heapledger::collector::obituary
