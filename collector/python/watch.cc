// SPDX-License-Identifier: Apache-2.0
#include "collector/python/watch.h"

#include "collector/python/process_memory.h"

namespace heapledger::collector::python {
namespace {

constexpr std::chrono::seconds kSearchAgain{60};
// A search reads the symbols of a file: some milliseconds.
constexpr int kSearchesPerLook = 4;

Refusal RefusalOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return Refusal::kPermission;
    case absl::StatusCode::kUnimplemented:
      return Refusal::kVersion;
    case absl::StatusCode::kFailedPrecondition:
      return Refusal::kNotUp;
    default:
      return Refusal::kLayout;
  }
}

}  // namespace

std::string_view RefusalWord(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "none";
    case Refusal::kPermission:
      return "permission";
    case Refusal::kVersion:
      return "version";
    case Refusal::kLayout:
      return "layout";
    case Refusal::kNotUp:
      return "not_initialized";
  }
  return "unknown";
}

std::shared_ptr<const View> Watch::Look(std::span<const Target> targets,
                                        Clock::time_point now) {
  auto view = std::make_shared<View>();
  for (auto& [key, known] : known_) known.seen = false;
  int searches = 0;
  for (const Target& target : targets) {
    Known& known = known_[{target.pid, target.start_time_ticks}];
    known.seen = true;
    if (!known.location && now >= known.next_search &&
        searches < kSearchesPerLook) {
      ++searches;
      known.next_search = now + kSearchAgain;
      Search(target, known);
    }
    if (known.refused) {
      Sample sample;
      sample.target = target;
      sample.refusal = Refusal::kPermission;
      view->samples.push_back(std::move(sample));
    }
    if (!known.location) continue;
    if (auto sample = LookAt(target, known)) {
      view->samples.push_back(*std::move(sample));
    }
  }
  std::erase_if(known_, [](const auto& item) { return !item.second.seen; });
  return view;
}

void Watch::Search(const Target& target, Known& known) {
  const auto location = Locate(target.pid);
  if (location.ok()) {
    known.location = *location;
    known.version = location->named_version;
  }
  // Nobody can tell what it is, then, but by its name.
  known.refused = absl::IsPermissionDenied(location.status()) &&
                  target.process.starts_with("python");
}

std::optional<Sample> Watch::LookAt(const Target& target, Known& known) {
  const ProcessMemory memory(target.pid);
  Sample sample;
  sample.target = target;
  if (known.location->version_word != 0) {
    const auto packed =
        memory.Load<std::uint64_t>(known.location->version_word);
    if (packed.ok()) {
      known.version = PythonVersion::Of(static_cast<std::uint32_t>(*packed));
    }
  }
  auto runtime = ReadRuntime(memory, known.location->runtime, known.version);
  if (runtime.ok()) {
    sample.runtime = *runtime;
    return sample;
  }
  // Ended, or another image took over: it is looked for anew.
  if (absl::IsNotFound(runtime.status()) ||
      absl::IsOutOfRange(runtime.status())) {
    known.location.reset();
    return std::nullopt;
  }
  sample.refusal = RefusalOf(runtime.status());
  return sample;
}

}  // namespace heapledger::collector::python
