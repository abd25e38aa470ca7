// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/http_answer.h"

#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/exporter/gzip.h"

namespace heapledger::collector {
namespace {

// Below this the headers outweigh what compression saves.
constexpr std::size_t kGzipFromBytes = 1024;

// Of profiles, which are compressed already.
constexpr std::string_view kCompressedType = "application/octet-stream";

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

const char* Explanation(int status) {
  switch (status) {
    case 400:
      return "the request is not valid HTTP/1.1";
    case 401:
      return "this page needs a user's password or a bearer token";
    case 404:
      return "no such page; / lists those that exist";
    case 405:
      return "this page does not take that method";
    case 413:
      return "the body is larger than this page takes";
    case 429:
      return "too many requests, or too many wrong passwords; wait a minute";
    case 431:
      return "the request's header is larger than 16 KiB";
    case 503:
      return "too many requests at once; try again";
    case 505:
      return "only HTTP/1.0 and HTTP/1.1 are spoken here";
    default:
      return Reason(status);
  }
}

// As in RFC 9110, 5.6.7; independent of the locale.
std::string HttpDate(std::time_t now) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed",
                                       "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};
  std::tm utc = {};
  gmtime_r(&now, &utc);
  const auto two = [](int value) { return absl::Dec(value, absl::kZeroPad2); };
  return absl::StrCat(kDays[static_cast<std::size_t>(utc.tm_wday)], ", ",
                      two(utc.tm_mday), " ",
                      kMonths[static_cast<std::size_t>(utc.tm_mon)], " ",
                      utc.tm_year + 1900, " ", two(utc.tm_hour), ":",
                      two(utc.tm_min), ":", two(utc.tm_sec), " GMT");
}

// Stops to gather beyond kMaxAnswerBytes.
template <typename Sink>
class BoundedSink final : public BodySink {
 public:
  void Append(std::string_view piece) override {
    if (full_) return;
    sink_.Append(piece);
    full_ = sink_.size() > kMaxAnswerBytes;
  }
  [[nodiscard]] std::optional<std::string> Take() {
    if (full_) return std::nullopt;
    return sink_.Take();
  }

 private:
  Sink sink_;
  bool full_ = false;
};

template <typename Sink>
std::optional<std::string> WriteInto(const HttpResponse& response) {
  BoundedSink<Sink> sink;
  response.write_body(&sink);
  return sink.Take();
}

bool Pack(std::string* body) {
  std::optional<std::string> gzip = Gzip(*body);
  if (gzip) *body = *std::move(gzip);
  return gzip.has_value();
}

HttpResponse TooLong() {
  HttpResponse response;
  response.status = 503;
  response.body =
      absl::StrCat("503 this page is longer than ", kMaxAnswerBytes >> 20,
                   " MiB; let the collector show fewer callsites with --top\n");
  return response;
}

}  // namespace

HttpAnswer MakeAnswer(HttpResponse response, Encoding accepted) {
  HttpAnswer answer;
  answer.status = response.status;
  bool packed = false;
  if (response.write_body) {
    packed = accepted == Encoding::kGzip;
    std::optional<std::string> body = packed ? WriteInto<GzipSink>(response)
                                             : WriteInto<StringSink>(response);
    if (!body) return MakeAnswer(TooLong(), Encoding::kIdentity);
    answer.body = *std::move(body);
  } else {
    answer.body = std::move(response.body);
    packed = accepted == Encoding::kGzip && response.status == 200 &&
             answer.body.size() > kGzipFromBytes &&
             response.content_type != kCompressedType && Pack(&answer.body);
  }
  absl::StrAppend(&answer.head, "HTTP/1.1 ", response.status, " ",
                  Reason(response.status),
                  "\r\nDate: ", HttpDate(std::time(nullptr)), "\r\n");
  if (response.status != 204 && response.status != 304) {
    absl::StrAppend(&answer.head, "Content-Type: ", response.content_type,
                    "\r\nContent-Length: ", answer.body.size(),
                    "\r\nX-Content-Type-Options: nosniff\r\n");
  }
  if (response.status == 200) {
    absl::StrAppend(&answer.head, "Vary: Accept-Encoding\r\n");
  }
  if (packed) absl::StrAppend(&answer.head, "Content-Encoding: gzip\r\n");
  for (const auto& [name, value] : response.headers) {
    absl::StrAppend(&answer.head, name, ": ", value, "\r\n");
  }
  return answer;
}

HttpAnswer ErrorAnswer(int status, HttpHeaders headers) {
  HttpResponse response;
  response.status = status;
  response.body = absl::StrCat(status, " ", Explanation(status), "\n");
  response.headers = std::move(headers);
  return MakeAnswer(std::move(response), Encoding::kIdentity);
}

}  // namespace heapledger::collector
