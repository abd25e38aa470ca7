// SPDX-License-Identifier: Apache-2.0
// libiberty's demanglers, with an end: a linkage name of 250 characters can
// stand for gigabytes of text, each level of back references doubling it. Here
// the output is cut off at kMaxOutput, and a name that would be longer counts
// as not understood.
//
// Thread safety: any thread. Takes up to two megabytes of its stack.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace heapledger::symbolizer {

class BoundedDemangler {
 public:
  // Longer linkage names are not looked at. Boost and Eigen reach some
  // thousand characters; the stack that is needed grows with the name.
  static constexpr std::size_t kMaxLinkageName = 8192;
  // Of the text. An expression template may take ten thousand characters.
  static constexpr std::size_t kMaxOutput = std::size_t{1} << 16;

  // Each returns nothing if `name` is not of the language, is damaged, or
  // breaks a bound. Cxx also understands the Itanium names of other languages.
  static std::optional<std::string> Cxx(const std::string& name);
  // Legacy ("_ZN…17h…E", without its hash) and v0 ("_RNv…").
  static std::optional<std::string> Rust(const std::string& name);
  static std::optional<std::string> D(const std::string& name);
};

}  // namespace heapledger::symbolizer
