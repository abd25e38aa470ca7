// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "collector/exporter/quality_list.h"

namespace heapledger::collector {
namespace {

// 15 bits of window, +16 for the gzip wrapper instead of zlib's.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;
constexpr std::size_t kStepBytes = 64 << 10;

}  // namespace

bool AcceptsGzip(std::string_view accept_encoding) {
  std::optional<int> gzip;
  std::optional<int> any;
  int identity = 0;
  for (const QualityItem& item : ParseQualityList(accept_encoding)) {
    if (item.value == "gzip" || item.value == "x-gzip") {
      gzip = std::max(gzip.value_or(0), item.weight);
    } else if (item.value == "*") {
      any = item.weight;
    } else if (item.value == "identity") {
      identity = item.weight;
    }
  }
  const int weight = gzip ? *gzip : any.value_or(0);
  return weight > 0 && weight >= identity;
}

struct GzipSink::Stream {
  z_stream state = {};
};

GzipSink::GzipSink() : stream_(std::make_unique<Stream>()) {
  // The fastest level: metric text shrinks tenfold with it, and a scrape waits.
  failed_ =
      deflateInit2(&stream_->state, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits,
                   kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK;
}

GzipSink::~GzipSink() { deflateEnd(&stream_->state); }

void GzipSink::Append(std::string_view piece) {
  while (!piece.empty()) {
    const std::string_view step = piece.substr(0, kStepBytes);
    Deflate(step, Z_NO_FLUSH);
    piece.remove_prefix(step.size());
  }
}

void GzipSink::Deflate(std::string_view piece, int flush) {
  if (failed_) return;
  z_stream& state = stream_->state;
  std::array<char, kStepBytes> out;
  // Not written.
  state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  state.avail_in = static_cast<uInt>(piece.size());
  do {
    state.next_out = reinterpret_cast<Bytef*>(out.data());
    state.avail_out = static_cast<uInt>(out.size());
    if (deflate(&state, flush) == Z_STREAM_ERROR) {
      failed_ = true;
      return;
    }
    packed_.append(out.data(), out.size() - state.avail_out);
  } while (state.avail_out == 0);
}

std::optional<std::string> GzipSink::Take() {
  Deflate({}, Z_FINISH);
  if (failed_) return std::nullopt;
  return std::move(packed_);
}

std::optional<std::string> Gzip(std::string_view text) {
  GzipSink sink;
  sink.Append(text);
  return sink.Take();
}

}  // namespace heapledger::collector
