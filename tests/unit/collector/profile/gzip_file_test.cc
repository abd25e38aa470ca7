// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/gzip_file.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>

namespace heapledger::collector {
namespace {

std::string Unpack(const std::string& packed, std::size_t size) {
  std::string text(size + 1, '\0');
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST(GzipFileTest, GivesBackWhatWasPacked) {
  std::mt19937 random(1);
  for (const std::size_t size : {0U, 1U, 1000U, 300'000U}) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    for (const std::string& text : {noise, std::string(size, 'a')}) {
      const auto packed = GzipFile(text);
      ASSERT_TRUE(packed.ok());
      EXPECT_EQ(Unpack(*packed, size), text);
      EXPECT_EQ(*GzipFile(text), *packed);
    }
  }
}

}  // namespace
}  // namespace heapledger::collector
