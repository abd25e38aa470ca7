// SPDX-License-Identifier: Apache-2.0
// A response in the form in which it goes over the wire, made once and shared
// by every connection that waits for it.
#pragma once

#include <string>

#include "collector/exporter/http_server.h"

namespace heapledger::collector {

struct HttpAnswer {
  int status = 200;
  // Status line and headers, without Connection and without the blank line:
  // those two are the connection's own.
  std::string head;
  std::string body;
};

enum class Encoding { kIdentity, kGzip };

// Longest body that is written in pieces, as it goes over the wire: what is
// longer is a 503 that says so, as no scraper takes it and a few of them would
// fill the memory.
inline constexpr std::size_t kMaxAnswerBytes = 128 << 20;

// Compresses a 200 of more than 1 KiB if `accepted` allows it, and one that is
// written in pieces whatever its length.
[[nodiscard]] HttpAnswer MakeAnswer(HttpResponse response, Encoding accepted);

// A one-line text that says what was wrong.
[[nodiscard]] HttpAnswer ErrorAnswer(int status, HttpHeaders headers = {});

}  // namespace heapledger::collector
