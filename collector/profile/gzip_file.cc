// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/gzip_file.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "absl/status/status.h"

namespace heapledger::collector {

absl::StatusOr<std::string> GzipFile(std::string_view text) {
  // 15 bits of window, +16 for the gzip wrapper instead of zlib's.
  constexpr int kGzipWindowBits = 15 + 16;
  constexpr int kMemoryLevel = 8;
  // Files are read more often than written, but a level beyond costs three
  // times the time for a hundredth of the size.
  constexpr int kLevel = 6;
  z_stream stream = {};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return absl::ResourceExhaustedError(
        "compress the profile: zlib has no memory");
  }
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  std::size_t room = packed.size();
  int result = Z_OK;
  // zlib counts in 32 bits: both sides go piece by piece.
  constexpr std::size_t kPiece = std::numeric_limits<uInt>::max() / 2;
  while (result == Z_OK) {
    if (stream.avail_in == 0 && !text.empty()) {
      const std::size_t piece = std::min(kPiece, text.size());
      stream.next_in = reinterpret_cast<Bytef*>(
          const_cast<char*>(text.data()));  // Not written.
      stream.avail_in = static_cast<uInt>(piece);
      text.remove_prefix(piece);
    }
    const std::size_t piece = std::min(kPiece, room);
    stream.avail_out = static_cast<uInt>(piece);
    result = deflate(&stream, text.empty() ? Z_FINISH : Z_NO_FLUSH);
    room -= piece - stream.avail_out;
  }
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return absl::InternalError("compress the profile: zlib gave up");
  }
  return packed;
}

}  // namespace heapledger::collector
