// SPDX-License-Identifier: Apache-2.0
// A YAML file read strictly: every value knows its line and its keys, so that
// what is wrong with it is one sentence that leads there.
//
// A reader names what it knows and everything else is an error:
//
//   return value.ReadMap({{"interval", [&](const YamlValue& v) {...}}, ...});
//
// Errors are InvalidArgument, such as `heapledger.yaml line 3: collect.interval
// is "soon", not a number`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heapledger::collector {

class YamlValue {
 public:
  using Reader = std::function<absl::Status(const YamlValue&)>;
  struct Field {
    std::string_view name;
    Reader read;
  };

  // One document, which may be empty. `source` is what errors call it.
  [[nodiscard]] static absl::StatusOr<YamlValue> Parse(
      const std::string& text, const std::string& source);

  YamlValue(const YamlValue&);
  YamlValue& operator=(const YamlValue&);
  ~YamlValue();

  enum class Kind { kNothing, kScalar, kList, kMap };
  [[nodiscard]] Kind kind() const;
  [[nodiscard]] int line() const;           // from 1
  [[nodiscard]] std::string place() const;  // `SOURCE line N`

  // Any scalar, as it is written.
  [[nodiscard]] absl::StatusOr<std::string> String() const;
  // `true` and `false`, `yes`, `no`, `on`, `off`.
  [[nodiscard]] absl::StatusOr<bool> Bool() const;
  [[nodiscard]] absl::StatusOr<double> Number() const;
  // The items of a list; nothing has none.
  [[nodiscard]] absl::StatusOr<std::vector<YamlValue>> List() const;
  // The entries of a map in their order, no key twice; nothing has none.
  [[nodiscard]] absl::StatusOr<std::vector<std::pair<std::string, YamlValue>>>
  Map() const;

  // Reads a map whose keys are among `fields`, in the order of the file.
  [[nodiscard]] absl::Status ReadMap(const std::vector<Field>& fields) const;

  // `why` with the place in front: `SOURCE line N: KEY why`.
  [[nodiscard]] absl::Status Error(std::string_view why) const;

 private:
  struct Node;
  YamlValue(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

  std::shared_ptr<const Node> node_;
};

}  // namespace heapledger::collector
