// SPDX-License-Identifier: Apache-2.0
#include "collector/system/smaps.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "collector/system/numbers.h"

namespace heapledger::collector {
namespace {

// HEAP_MAX_SIZE of glibc on 64 bits: where every arena's heaps begin.
constexpr std::uint64_t kArenaAlignment = 64 << 20;
// Larger than any guard that a thread library puts below a stack by default.
constexpr std::uint64_t kMaxGuardBytes = 64 << 10;
constexpr std::size_t kMaxLineBytes = 16 << 10;

std::optional<std::uint64_t> ParseAddress(std::string_view text) {
  std::uint64_t address = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), address, 16);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return address;
}

// Fields are capitalized, addresses are not.
bool BeginsMapping(std::string_view line) {
  return !line.empty() && ((line[0] >= '0' && line[0] <= '9') ||
                           (line[0] >= 'a' && line[0] <= 'f'));
}

}  // namespace

void SmapsReader::Line(std::string_view line) {
  if (BeginsMapping(line)) {
    End();
    Begin(line);
  } else if (mapping_) {
    Field(line);
  }
}

const PageWalk& SmapsReader::Finish() {
  End();
  return walk_;
}

// "start-end permissions offset device inode name"
void SmapsReader::Begin(std::string_view line) {
  std::string_view range = NextWord(line);
  const auto start = ParseAddress(NextPart(range, '-'));
  const auto end = ParseAddress(range);
  if (!start || !end || *end < *start) return;
  mapping_.emplace();
  mapping_->start = *start;
  mapping_->end = *end;
  mapping_->permissions = NextWord(line);
  for (int i = 0; i < 3; ++i) NextWord(line);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  mapping_->name = line;
}

void SmapsReader::Field(std::string_view line) {
  const std::string_view name = NextWord(line);
  if (name == "VmFlags:") {
    for (auto flag = NextWord(line); !flag.empty(); flag = NextWord(line)) {
      if (flag == "nr") mapping_->no_reserve = true;
      if (flag == "nh") mapping_->no_huge_page = true;
    }
    return;
  }
  const auto number = ParseNumber(NextWord(line));
  if (!number || *number > (std::uint64_t{1} << 50)) return;
  const std::uint64_t bytes = *number * 1024;
  PageTotals& totals = walk_.totals;
  if (name == "Rss:") mapping_->resident = bytes;
  if (name == "Anonymous:") mapping_->anonymous = bytes;
  if (name == "Pss:") totals.pss += bytes;
  if (name == "Private_Clean:" || name == "Private_Dirty:") totals.uss += bytes;
  if (name == "Private_Dirty:" || name == "Shared_Dirty:") {
    totals.dirty += bytes;
  }
}

void SmapsReader::End() {
  if (!mapping_) return;
  const std::uint64_t size = mapping_->end - mapping_->start;
  if (mapping_->name.find(ledger_file_) != std::string::npos &&
      !ledger_file_.empty()) {
    walk_.areas.ledger_file += mapping_->resident;
  } else {
    std::uint64_t& area = AreaOf(*mapping_);
    area += mapping_->anonymous;
    const bool of_malloc = &area == &walk_.areas.heap;
    if (of_malloc) walk_.areas.heap_mapped += size;
    // Of a file's mapping that was written to, nothing is malloc's.
    const std::string_view name = mapping_->name;
    const bool anonymous =
        of_malloc || name.empty() || name.substr(0, 6) == "[anon:";
    if (anonymous && mapping_->anonymous != 0 &&
        mapping_->permissions == "rw-p" &&
        (of_malloc || &area == &walk_.areas.rest)) {
      ranges_.push_back({mapping_->start, mapping_->end, of_malloc});
    }
  }
  const bool guard = mapping_->permissions == "---p" &&
                     mapping_->name.empty() && size <= kMaxGuardBytes;
  guard_end_ = guard ? mapping_->end : 0;
  mapping_.reset();
}

std::uint64_t& SmapsReader::AreaOf(const SmapsMapping& mapping) {
  if (mapping.name == "[heap]") return walk_.areas.heap;
  if (mapping.name == "[stack]") return walk_.areas.stacks;
  if (!mapping.name.empty() || mapping.permissions != "rw-p") {
    return walk_.areas.rest;
  }
  // The shim asks for no reserve and no huge pages, malloc's arenas for no
  // reserve, and hardly anybody else for either.
  if (mapping.no_reserve && mapping.no_huge_page) return walk_.areas.shim;
  if (mapping.no_reserve && mapping.start % kArenaAlignment == 0) {
    return walk_.areas.heap;
  }
  if (mapping.start == guard_end_) return walk_.areas.stacks;
  return walk_.areas.rest;
}

absl::StatusOr<PageWalk> WalkSmaps(const std::string& directory,
                                   std::string_view ledger_file,
                                   std::chrono::nanoseconds budget,
                                   std::vector<MemoryRange>* ranges) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + budget;
  const std::string path = directory + "/smaps";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  }
  const absl::Cleanup close = [file] { ::close(file); };
  SmapsReader reader(ledger_file);
  std::string pending;  // the line that the last read left unfinished
  char buffer[32 << 10];
  while (true) {
    const ssize_t count = ::read(file, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("read ", path));
    }
    if (count == 0) break;
    std::string_view text(buffer, static_cast<std::size_t>(count));
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1)) {
      pending.append(text.substr(0, end));
      reader.Line(pending);
      pending.clear();
    }
    pending.append(text);
    if (pending.size() > kMaxLineBytes || Clock::now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("read ", path, ": more than its time allows"));
    }
  }
  const PageWalk& walk = reader.Finish();
  if (ranges != nullptr) *ranges = reader.ranges();
  return walk;
}

std::optional<PageTotals> ParseSmapsRollup(std::string_view text) {
  std::optional<std::uint64_t> pss, clean, dirty, shared_dirty;
  ReadNumbers(text, {{"Pss", &pss},
                     {"Private_Clean", &clean},
                     {"Private_Dirty", &dirty},
                     {"Shared_Dirty", &shared_dirty}});
  if (!pss || !clean || !dirty || !shared_dirty) return std::nullopt;
  return PageTotals{
      .pss = *pss, .uss = *clean + *dirty, .dirty = *dirty + *shared_dirty};
}

}  // namespace heapledger::collector
