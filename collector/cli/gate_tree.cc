// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/gate_tree.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "collector/cli/elf_facts.h"
#include "collector/ledger/naming.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

// The shim's clock is the coarse one: up to a tick of 100 Hz behind.
constexpr std::uint64_t kClockSlackNs = 10'000'000;

// What the kernel keeps of a program's name (TASK_COMM_LEN).
constexpr std::size_t kShortName = 15;

// The user said so, and it is no fault.
constexpr std::string_view kNotFollowed = "not_followed";

std::string WithoutDeleted(const std::string& path) {
  return std::string(absl::StripSuffix(path, " (deleted)"));
}

// As far as one can tell.
bool MayBe(const SeenImage& seen, const std::string& exe) {
  if (exe.empty()) return true;
  if (!seen.program.empty()) {
    return WithoutDeleted(seen.program) == WithoutDeleted(exe);
  }
  return seen.short_name.empty() ||
         BaseName(exe).substr(0, kShortName) == seen.short_name;
}

std::string NameOf(const SeenImage& image) {
  return image.program.empty() ? image.short_name
                               : std::string(BaseName(image.program));
}

std::string WhyFromMarker(std::uint32_t reason) {
  return absl::StrCat(OffReasonText(reason), "; ", OffReasonRemedy(reason));
}

}  // namespace

std::string WhyWithoutLedger(const std::string& program) {
  if (program.empty()) {
    return "it left no ledger, and ended before one could look at its file";
  }
  const auto facts = ReadElfFacts(program);
  if (facts.ok() && facts->is_elf) {
    if (!facts->is_64_bit || !facts->is_x86_64) {
      return "it is not for x86-64, and the shim is";
    }
    if (facts->is_static) {
      return "it is linked statically, so nothing can be preloaded into it; "
             "link it dynamically";
    }
    if (facts->is_musl) return "it runs on musl, and the shim on glibc";
    if (facts->is_privileged) {
      return "it runs with privileges of its own, and the loader ignores "
             "LD_PRELOAD then";
    }
    if (!facts->sanitizer.empty()) {
      return absl::StrCat("it has a sanitizer of its own (", facts->sanitizer,
                          "); build it without");
    }
  }
  return "it left no ledger: LD_PRELOAD was taken out of its environment, or "
         "the ledger was lost; ask heapledger doctor -- CMD";
}

void GateTree::Look() {
  if (events_ == nullptr) {
    poll_.Look();
  } else {
    events_->Take();
  }
}

gate::ImageFate GateTree::Note(const LedgerSnapshot& snapshot) {
  const LedgerIdentity& identity = snapshot.identity;
  ledgers_.push_back(
      {identity.pid, identity.created_monotonic_ns, identity.exe});
  if (events_ == nullptr || snapshot.state != ProcessState::kKilled) {
    return gate::ImageFate::kJudged;
  }
  const bool replaced =
      std::ranges::any_of(events_->images(), [&](const SeenImage& image) {
        const std::uint64_t created = identity.created_monotonic_ns;
        // The exec that began this very image lies within the slack.
        return image.pid == identity.pid &&
               image.begin_monotonic_ns > created &&
               (image.begin_monotonic_ns > created + kClockSlackNs ||
                !MayBe(image, identity.exe));
      });
  return replaced ? gate::ImageFate::kReplaced : gate::ImageFate::kJudged;
}

// Each program takes the last ledger that it may have made; going backwards, as
// a fork's ledger lies before the one of the program that it became.
std::vector<SeenImage> GateTree::WithoutLedger() const {
  if (events_ == nullptr) {
    std::vector<SeenImage> images = poll_.WithoutShim();
    std::erase_if(images, [this](const SeenImage& image) {
      return std::ranges::any_of(ledgers_, [&](const Ledger& ledger) {
        return ledger.pid == image.pid && MayBe(image, ledger.program);
      });
    });
    return images;
  }
  std::map<std::uint32_t, std::vector<const Ledger*>> by_pid;
  for (const Ledger& ledger : ledgers_) by_pid[ledger.pid].push_back(&ledger);
  for (auto& [pid, ledgers] : by_pid) {
    std::ranges::sort(ledgers, {}, &Ledger::created_monotonic_ns);
  }
  std::vector<SeenImage> without;
  const auto& images = events_->images();
  for (auto image = images.rbegin(); image != images.rend(); ++image) {
    auto& ledgers = by_pid[image->pid];
    const bool fits = !ledgers.empty() &&
                      ledgers.back()->created_monotonic_ns + kClockSlackNs >=
                          image->begin_monotonic_ns &&
                      MayBe(*image, ledgers.back()->program);
    if (fits) {
      ledgers.pop_back();
    } else {
      without.push_back(*image);
    }
  }
  std::ranges::reverse(without);
  return without;
}

std::uint64_t GateTree::FirstBegin(std::uint32_t pid) const {
  if (events_ == nullptr) return 0;
  const auto first = std::ranges::find(events_->images(), pid, &SeenImage::pid);
  return first == events_->images().end() ? 0 : first->begin_monotonic_ns;
}

std::vector<gate::MissingImage> GateTree::StillRunning() const {
  std::vector<gate::MissingImage> running;
  if (events_ == nullptr) return running;
  for (const std::uint32_t pid : events_->running()) {
    // One with a ledger says it there.
    if (std::ranges::find(ledgers_, pid, &Ledger::pid) != ledgers_.end()) {
      continue;
    }
    const auto stat = ReadProcessStat("/proc", pid);
    if (!stat) continue;
    running.push_back({pid, stat->comm,
                       "it still runs; end it within the test, or give it "
                       "longer with --wait"});
  }
  return running;
}

std::vector<gate::MissingImage> GateTree::Missing(
    const std::vector<UnmeasuredProcess>& markers,
    const Command& command) const {
  std::map<std::uint32_t, const UnmeasuredProcess*> by_pid;
  for (const UnmeasuredProcess& marker : markers) {
    if (marker.off_reason) by_pid[marker.pid] = &marker;
  }
  const auto not_followed = [](const UnmeasuredProcess& marker) {
    return OffReasonWord(*marker.off_reason) == kNotFollowed;
  };
  std::vector<gate::MissingImage> missing = StillRunning();
  std::set<std::uint32_t> told;
  for (const gate::MissingImage& image : missing) told.insert(image.pid);
  for (SeenImage image : WithoutLedger()) {
    if (image.program.empty() && image.pid == command.pid &&
        image.begin_monotonic_ns == FirstBegin(image.pid)) {
      image.program = command.path;
    }
    const auto marker = by_pid.find(image.pid);
    told.insert(image.pid);
    if (marker == by_pid.end()) {
      missing.push_back({image.pid, NameOf(image),
                         WhyWithoutLedger(WithoutDeleted(image.program))});
    } else if (!not_followed(*marker->second)) {
      missing.push_back({image.pid, NameOf(image),
                         WhyFromMarker(*marker->second->off_reason)});
    }
  }
  for (const auto& [pid, marker] : by_pid) {
    if (told.contains(pid) || not_followed(*marker)) continue;
    missing.push_back(
        {pid, marker->program, WhyFromMarker(*marker->off_reason)});
  }
  if (events_ != nullptr && events_->lost()) {
    missing.push_back({0, "",
                       "programs started faster than they could be followed; "
                       "run the gate as root or on fewer at a time"});
  }
  return missing;
}

std::vector<std::string> GateTree::Remarks() const {
  if (events_ != nullptr) return {};
  return {
      "the kernel does not tell of processes here, so a short program that the "
      "shim was not loaded into may have gone unseen"};
}

}  // namespace heapledger::collector::cli
