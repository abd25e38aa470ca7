// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/heap_page.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/profile/difference.h"
#include "collector/profile/formats.h"
#include "collector/profile/hl_marks.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kMaximumSeconds = 300;

HttpResponse Sentence(int status, std::string_view text) {
  HttpResponse response;
  response.status = status;
  response.body = absl::StrCat(std::string(text), "\n");
  return response;
}

int HttpStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

// "%2F" -> "/"; a sign that is none stays as it is.
std::string Decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      result += static_cast<char>(
          std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

absl::StatusOr<ProfileValue> ValueOfWord(const std::string& word) {
  for (const ProfileValue value :
       {ProfileValue::kLiveBytes, ProfileValue::kLiveObjects,
        ProfileValue::kAllocatedBytes, ProfileValue::kAllocations}) {
    if (ValueWord(value) == word) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", word,
      "' is no value; use live-bytes, live-objects, allocated-bytes or "
      "allocations"));
}

absl::StatusOr<ProfileFormat> FormatOf(const std::string& word) {
  if (word == "pprof") return ProfileFormat::kPprof;
  if (word == "speedscope") return ProfileFormat::kSpeedscope;
  return FormatOfWord(word);
}

}  // namespace

struct HeapPage::Query {
  std::string pid;
  std::string base;
  std::uint64_t seconds = 0;
  ProfileFormat format = ProfileFormat::kPprof;
  ProfileValue value = ProfileValue::kLiveBytes;

  absl::Status Set(const std::string& name, const std::string& text) {
    if (name == "pid") {
      std::uint32_t number = 0;
      if (!absl::SimpleAtoi(text, &number) || number == 0) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", text, "' is no pid; give the number that / lists"));
      }
      pid = absl::StrCat(number);
    } else if (name == "base") {
      base = text;
      return CheckMarkName(base);
    } else if (name == "seconds") {
      if (!absl::SimpleAtoi(text, &seconds) || seconds == 0 ||
          seconds > kMaximumSeconds) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", text, "' is no number of seconds from 1 to ", kMaximumSeconds,
            "; leave it out for the heap as it is"));
      }
    } else if (name == "format") {
      const auto known = FormatOf(text);
      if (!known.ok()) return known.status();
      format = *known;
    } else if (name == "value") {
      const auto known = ValueOfWord(text);
      if (!known.ok()) return known.status();
      value = *known;
    }
    // pprof adds names of its own (debug, gc): they change nothing here.
    return absl::OkStatus();
  }

  static absl::StatusOr<Query> Parse(std::string_view text) {
    Query query;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('&'), text.size());
      const std::string_view item = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      const std::size_t equals = std::min(item.find('='), item.size());
      const std::string_view value =
          item.substr(std::min(equals + 1, item.size()));
      const absl::Status ok =
          query.Set(Decoded(item.substr(0, equals)), Decoded(value));
      if (!ok.ok()) return ok;
    }
    if (!query.base.empty() && query.seconds != 0) {
      return absl::InvalidArgumentError(
          "base and seconds are two kinds of difference; give one of them");
    }
    return query;
  }
};

HeapPage::HeapPage(HeapPageOptions options) : options_(std::move(options)) {}

bool HeapPage::Wait(std::uint64_t seconds) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, std::chrono::seconds(seconds),
                         [this] { return stopping_; });
}

void HeapPage::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

absl::StatusOr<HttpResponse> HeapPage::Make(const Query& query) {
  auto snapshot = options_.take(query.pid);
  if (!snapshot.ok()) return snapshot.status();
  Profile profile = MakeProfile(*snapshot, *options_.names);
  if (!query.base.empty()) {
    const auto mark = ReadMark(**snapshot, query.base);
    if (!mark.ok()) return mark.status();
    Profile before = MakeProfile(mark->snapshot, *options_.names);
    before.facts.moment = query.base;
    profile = Difference(before, profile);
  } else if (query.seconds != 0) {
    if (!Wait(query.seconds)) {
      return absl::UnavailableError("the collector is ending; ask again later");
    }
    snapshot = options_.take(absl::StrCat((*snapshot)->identity.pid));
    if (!snapshot.ok()) return snapshot.status();
    profile = Difference(profile, MakeProfile(*snapshot, *options_.names));
  }
  WriteOptions write;
  write.value = write.sort = query.value;
  auto bytes = WriteProfile(profile, query.format, write);
  if (!bytes.ok()) return bytes.status();
  HttpResponse response;
  response.content_type = ContentTypeOf(query.format);
  response.body = *std::move(bytes);
  if (query.format == ProfileFormat::kPprof) {
    response.headers.emplace_back("Content-Disposition",
                                  "attachment; filename=\"heap.pb.gz\"");
  }
  return response;
}

HttpResponse HeapPage::Answer(const HttpRequest& request) {
  if (at_work_.fetch_add(1) >= kMaximumAtWork) {
    at_work_.fetch_sub(1);
    HttpResponse response = Sentence(
        429, absl::StrCat(kMaximumAtWork,
                          " profiles are being made; ask again in a moment"));
    response.headers.emplace_back("Retry-After", "2");
    return response;
  }
  const absl::Cleanup leave = [this] { at_work_.fetch_sub(1); };
  const auto query = Query::Parse(request.query);
  if (!query.ok()) {
    return Sentence(400, std::string(query.status().message()));
  }
  auto response = Make(*query);
  if (!response.ok()) {
    return Sentence(HttpStatusOf(response.status()),
                    std::string(response.status().message()));
  }
  return *std::move(response);
}

}  // namespace heapledger::collector
