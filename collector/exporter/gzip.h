// SPDX-License-Identifier: Apache-2.0
// gzip of a response body, and whether a client asked for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/exporter/body_sink.h"

namespace heapledger::collector {

// Whether an Accept-Encoding header takes gzip (RFC 9110, 12.5.3): the token
// itself or `*`, and rather than the plain text.
[[nodiscard]] bool AcceptsGzip(std::string_view accept_encoding);

// Compresses what it is given.
class GzipSink final : public BodySink {
 public:
  GzipSink();
  ~GzipSink() override;

  GzipSink(const GzipSink&) = delete;
  GzipSink& operator=(const GzipSink&) = delete;

  void Append(std::string_view piece) override;

  // What has been compressed so far, in bytes.
  [[nodiscard]] std::size_t size() const { return packed_.size(); }
  // The whole; nullopt if zlib had no memory. Nothing else after it.
  [[nodiscard]] std::optional<std::string> Take();

 private:
  struct Stream;
  void Deflate(std::string_view piece, int flush);

  std::unique_ptr<Stream> stream_;
  std::string packed_;
  bool failed_ = false;
};

// nullopt if zlib has no memory: the caller sends the text as it is.
[[nodiscard]] std::optional<std::string> Gzip(std::string_view text);

}  // namespace heapledger::collector
