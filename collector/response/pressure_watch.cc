// SPDX-License-Identifier: Apache-2.0
#include "collector/response/pressure_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::response {
namespace {

constexpr std::array<const char*, 4> kGradeWords = {"", "low", "medium",
                                                    "critical"};
// A busy kernel's words are not taken one by one.
constexpr std::chrono::milliseconds kRest{20};

}  // namespace

absl::StatusOr<Descriptor> OpenStallTrigger(const std::string& path,
                                            double share) {
  int error = 0;
  for (const int window_us : {1'000'000, 2'000'000}) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!file.ok()) return absl::ErrnoToStatus(errno, "open " + path);
    const int stall_us = std::max(1, static_cast<int>(share * window_us));
    const std::string text = absl::StrCat("some ", stall_us, " ", window_us);
    // With the zero byte at its end.
    if (::write(file.get(), text.c_str(), text.size() + 1) >= 0) return file;
    error = errno;
  }
  return absl::ErrnoToStatus(error, "set a trigger on " + path);
}

PressureWatch::PressureWatch(double share, std::string root)
    : share_(share),
      root_(std::move(root)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Follow({});
}

void PressureWatch::AddStall(const std::string& path) {
  auto file = OpenStallTrigger(path, share_);
  if (!file.ok()) {
    refused_.insert(path);
    return;
  }
  Source& source = sources_[path];
  source.file = *std::move(file);
  source.events = POLLPRI;
}

void PressureWatch::AddEvents(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) {
    refused_.insert(path);
    return;
  }
  Source& source = sources_[path];
  source.file = std::move(file);
  source.events = POLLPRI;
}

// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, 11.
void PressureWatch::AddLevels(const std::string& directory) {
  const Descriptor control(::open((directory + "/cgroup.event_control").c_str(),
                                  O_WRONLY | O_CLOEXEC));
  for (int grade = 1; grade <= 3; ++grade) {
    const std::string name = absl::StrCat(directory, "#", kGradeWords[grade]);
    Source source;
    source.level = Descriptor(::open(
        (directory + "/memory.pressure_level").c_str(), O_RDONLY | O_CLOEXEC));
    source.file = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const std::string text =
        absl::StrCat(source.file.get(), " ", source.level.get(), " ",
                     kGradeWords[grade], ",local");
    if (!control.ok() || !source.level.ok() ||
        ::write(control.get(), text.c_str(), text.size()) < 0) {
      refused_.insert(name);
      continue;
    }
    source.events = POLLIN;
    source.grade = grade;
    source.group = directory;
    sources_[name] = std::move(source);
  }
}

void PressureWatch::Follow(const std::vector<CgroupPlace>& places) {
  std::set<std::string> wanted;
  const auto want = [&](const std::string& name) {
    wanted.insert(name);
    return !sources_.contains(name) && !refused_.contains(name);
  };
  const std::string host = root_ + "/proc/pressure/memory";
  if (want(host)) AddStall(host);
  for (const CgroupPlace& place : places) {
    const std::string& directory = place.chain.front();
    if (!place.pressure_directory.empty()) {
      const std::string path = place.pressure_directory + "/memory.pressure";
      if (want(path)) AddStall(path);
    }
    if (place.version == CgroupVersion::kV2) {
      const std::string path = directory + "/memory.events";
      if (want(path)) AddEvents(path);
      continue;
    }
    bool missing = false;
    for (int grade = 1; grade <= 3; ++grade) {
      missing |= want(absl::StrCat(directory, "#", kGradeWords[grade]));
    }
    if (missing) AddLevels(directory);
  }
  std::erase_if(sources_, [&wanted](const auto& each) {
    return !wanted.contains(each.first);
  });
  std::erase_if(refused_,
                [&wanted](const auto& each) { return !wanted.contains(each); });
}

void PressureWatch::Wait(std::chrono::nanoseconds patience) {
  std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}};
  std::vector<std::string> names = {""};
  for (const auto& [name, source] : sources_) {
    polled.push_back({source.file.get(), source.events, 0});
    names.push_back(name);
  }
  const auto wait =
      std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  if (::poll(polled.data(), polled.size(),
             static_cast<int>(std::clamp<std::int64_t>(wait, 0, 60'000))) <=
      0) {
    return;
  }
  std::uint64_t ignored = 0;
  if (polled[0].revents != 0) {
    (void)!::read(wake_.get(), &ignored, sizeof ignored);
  }
  const Clock::time_point now = Clock::now();
  bool spoken = false;
  for (std::size_t i = 1; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    const auto source = sources_.find(names[i]);
    // Its group is gone, or the kernel ended it. A file of memory.events has
    // POLLERR beside POLLPRI with every event.
    if ((polled[i].revents & source->second.events) == 0) {
      sources_.erase(source);
      refused_.insert(names[i]);
      continue;
    }
    spoken = true;
    Take(source->second, now);
  }
  if (spoken) std::this_thread::sleep_for(kRest);
}

void PressureWatch::Take(const Source& source, Clock::time_point now) {
  char ignored[512];
  if (source.grade != 0) {
    (void)!::read(source.file.get(), ignored, sizeof(std::uint64_t));
    reclaim_[source.group][source.grade] = now;
    return;
  }
  // What poll() has told of memory.events is told until it is read.
  (void)!::pread(source.file.get(), ignored, sizeof ignored, 0);
}

void PressureWatch::Wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

std::optional<double> PressureWatch::Reclaim(const CgroupPlace& place) const {
  const auto group = reclaim_.find(place.chain.front());
  if (group == reclaim_.end()) return std::nullopt;
  const Clock::time_point now = Clock::now();
  for (int grade = 3; grade >= 1; --grade) {
    const auto at = group->second.find(grade);
    if (at != group->second.end() && now - at->second < kHolds) return grade;
  }
  return std::nullopt;
}

}  // namespace heapledger::collector::response
