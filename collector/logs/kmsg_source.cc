// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/kmsg_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heapledger::collector::logs {
namespace {

// More than the kernel's CONSOLE_EXT_LOG_MAX, 8192 as of 6.18: a smaller
// buffer would be refused with EINVAL.
constexpr std::size_t kRecordBytes = 16384;

std::uint64_t ClockNs(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

template <typename Number>
bool Take(std::string_view* text, char end, Number* number) {
  const auto [at, error] =
      std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || at == text->data() + text->size() || *at != end) {
    return false;
  }
  text->remove_prefix(static_cast<std::size_t>(at - text->data()) + 1);
  return true;
}

class KmsgSource final : public LogSource {
 public:
  KmsgSource(ReadFrom from, const std::string& path) {
    state_.name = "kmsg";
    descriptor_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    // SEEK_SET goes to the oldest record that is still there.
    if (descriptor_ < 0 ||
        lseek(descriptor_, 0, from == ReadFrom::kEnd ? SEEK_END : SEEK_SET) <
            0) {
      Fail(errno, path);
      return;
    }
    state_.readable = true;
  }
  ~KmsgSource() override {
    if (descriptor_ >= 0) close(descriptor_);
  }
  KmsgSource(const KmsgSource&) = delete;
  KmsgSource& operator=(const KmsgSource&) = delete;

  bool Poll(std::size_t budget_bytes, const LineSink& sink) override {
    if (!state_.readable) return false;
    // printk's clock is the monotonic one, which stands still in suspend.
    const std::uint64_t boot =
        ClockNs(CLOCK_REALTIME) - ClockNs(CLOCK_MONOTONIC);
    char record[kRecordBytes];
    std::size_t taken = 0;
    while (taken < budget_bytes) {
      const ssize_t size = read(descriptor_, record, sizeof record);
      if (size < 0 && errno == EPIPE) {  // overwritten under us; go on behind
        ++state_.lost;
        continue;
      }
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno != EAGAIN) Fail(errno, "/dev/kmsg");
      if (size <= 0) return false;
      taken += static_cast<std::size_t>(size);
      const auto line =
          ParseKmsgRecord({record, static_cast<std::size_t>(size)}, boot);
      if (!line) continue;
      ++state_.lines;
      sink(*line);
    }
    return true;
  }

  SourceState state() const override { return state_; }

 private:
  void Fail(int error, const std::string& path) {
    char buffer[128];
    state_.readable = false;
    state_.problem = absl::StrCat(
        "cannot read ", path, ": ", strerror_r(error, buffer, sizeof buffer),
        error == EPERM || error == EACCES
            ? "; give CAP_SYSLOG or follow the journal instead"
            : "");
  }

  SourceState state_;
  int descriptor_ = -1;
};

}  // namespace

std::optional<LogLine> ParseKmsgRecord(std::string_view record,
                                       std::uint64_t boot_realtime_ns) {
  unsigned priority = 0;
  std::uint64_t sequence = 0;
  std::uint64_t microseconds = 0;
  const std::size_t semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  std::string_view head = record.substr(0, semicolon);
  // The flags end the third field where further ones follow.
  if (!Take(&head, ',', &priority) || !Take(&head, ',', &sequence) ||
      !Take(&head, ',', &microseconds)) {
    return std::nullopt;
  }
  const std::string_view rest = record.substr(semicolon + 1);
  const std::string_view text = rest.substr(0, rest.find('\n'));
  constexpr unsigned kFacilityShift = 3;
  LogLine line;
  if ((priority >> kFacilityShift) == 0) {
    line.program = "kernel";
    line.text = text;
  } else {
    line = ParseWriter(text);
  }
  line.realtime_ns = boot_realtime_ns + microseconds * 1000;
  return line;
}

std::unique_ptr<LogSource> MakeKmsgSource(ReadFrom from,
                                          const std::string& path) {
  return std::make_unique<KmsgSource>(from, path);
}

}  // namespace heapledger::collector::logs
