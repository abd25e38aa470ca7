// SPDX-License-Identifier: Apache-2.0
// JSON as text, written as it comes: a heap of 50,000 stacks has millions of
// numbers, too many to build as objects first.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/profile/foreign_text.h"

namespace heapledger::collector {

// Commas come by themselves. REQUIRES: calls that nest as JSON does, with a
// Key before each value of an object.
class JsonWriter {
 public:
  JsonWriter& Begin(char bracket) {  // '{' or '['
    Separate();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& End(char bracket) {  // '}' or ']'
    text_ += bracket;
    first_ = false;
    return *this;
  }
  JsonWriter& Key(std::string_view key) {
    Separate();
    AppendJsonString(key, text_);
    text_ += ':';
    first_ = true;  // no comma before the value
    return *this;
  }
  JsonWriter& String(std::string_view value) {
    Separate();
    AppendJsonString(value, text_);
    return *this;
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) JsonWriter& Int(Number value) {
    Separate();
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text_.append(digits, end);
    return *this;
  }
  JsonWriter& Bool(bool value) {
    Separate();
    text_ += value ? "true" : "false";
    return *this;
  }
  // For a person's eyes, between items.
  JsonWriter& NewLine() {
    if (!first_) text_ += ',';
    text_ += '\n';
    first_ = true;
    return *this;
  }

  [[nodiscard]] std::string Take() { return std::move(text_); }

 private:
  void Separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }

  std::string text_;
  bool first_ = true;
};

}  // namespace heapledger::collector
