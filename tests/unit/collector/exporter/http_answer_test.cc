// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/http_answer.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector {
namespace {

HttpResponse Pieces(std::size_t count, std::size_t size) {
  HttpResponse response;
  response.write_body = [count, size](BodySink* sink) {
    const std::string piece(size, 'x');
    for (std::size_t i = 0; i < count; ++i) sink->Append(piece);
  };
  return response;
}

TEST(HttpAnswerTest, GathersABodyThatComesInPieces) {
  const HttpAnswer plain = MakeAnswer(Pieces(3, 5), Encoding::kIdentity);
  EXPECT_EQ(plain.body, std::string(15, 'x'));
  EXPECT_NE(plain.head.find("\r\nContent-Length: 15\r\n"), std::string::npos);
  const HttpAnswer packed = MakeAnswer(Pieces(1000, 1000), Encoding::kGzip);
  EXPECT_LT(packed.body.size(), 20000U);
  EXPECT_NE(packed.head.find("\r\nContent-Encoding: gzip\r\n"),
            std::string::npos);
}

TEST(HttpAnswerTest, SaysThatAPageIsTooLong) {
  const HttpAnswer answer = MakeAnswer(
      Pieces(kMaxAnswerBytes / (1 << 20) + 1, 1 << 20), Encoding::kIdentity);
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("--top"), std::string::npos);
  EXPECT_EQ(MakeAnswer(Pieces(200, 1 << 20), Encoding::kGzip).status, 200)
      << "what goes over the wire is short";
}

}  // namespace
}  // namespace heapledger::collector
