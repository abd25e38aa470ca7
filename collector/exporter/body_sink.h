// SPDX-License-Identifier: Apache-2.0
// Where a page goes piece by piece, so that a large one is never held both
// plain and compressed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace heapledger::collector {

class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void Append(std::string_view piece) = 0;
};

class StringSink final : public BodySink {
 public:
  void Append(std::string_view piece) override { text_.append(piece); }
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace heapledger::collector
