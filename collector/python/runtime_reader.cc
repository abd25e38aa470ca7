// SPDX-License-Identifier: Apache-2.0
#include "collector/python/runtime_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/python/runtime_layout.h"

namespace heapledger::collector::python {
namespace {

// Counts of years; what is beyond is something else.
constexpr std::uint64_t kMaximumCount = std::uint64_t{1} << 56;
// No state of an interpreter is as large.
constexpr std::uint64_t kMaximumOffset = 16 << 20;

template <typename Number>
Number NumberAt(std::span<const std::byte> bytes, std::uint64_t at) {
  Number number;
  std::memcpy(&number, bytes.subspan(at, sizeof number).data(), sizeof number);
  return number;
}

absl::Status NoInterpreter(std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      "read _PyRuntime: ", absl::string_view(what.data(), what.size()),
      "; the interpreter is built in another way"));
}

struct Known {
  PythonVersion version;
  RuntimeLayout layout;
};

absl::StatusOr<Known> ByDebugOffsets(std::span<const std::byte> start) {
  using Offsets = DebugOffsetsLayout;
  const auto word = [start](std::uint64_t index) {
    return NumberAt<std::uint64_t>(start, index * 8);
  };
  Known known;
  known.version =
      PythonVersion::Of(static_cast<std::uint32_t>(word(Offsets::kVersion)));
  // Later versions put other things into the same words.
  if (known.version.major != 3 || known.version.minor != 13) {
    return absl::UnimplementedError(absl::StrCat(
        "read _PyRuntime: Python ", known.version.Text(),
        " is newer than what this build knows; use the helper thread"));
  }
  if (word(Offsets::kFreeThreaded) != 0) {
    return absl::UnimplementedError(
        "read _PyRuntime: a free-threaded build keeps no generations");
  }
  known.layout = {word(Offsets::kInterpretersHead),
                  word(Offsets::kInterpreterNext), word(Offsets::kCollector)};
  if (std::max({known.layout.interpreters_head, known.layout.interpreter_next,
                known.layout.collector}) > kMaximumOffset) {
    return NoInterpreter("its offsets make no sense");
  }
  return known;
}

absl::StatusOr<Known> LayoutAt(const Memory& memory, std::uint64_t runtime,
                               const PythonVersion& version) {
  std::array<std::byte, DebugOffsetsLayout::kWords * 8> start;
  if (absl::Status ok = memory.Read(runtime, start); !ok.ok()) return ok;
  if (std::memcmp(start.data(), DebugOffsetsLayout::kCookie, 8) == 0) {
    return ByDebugOffsets(start);
  }
  const auto layout = LayoutOf(version);
  if (!layout) {
    return absl::UnimplementedError(
        absl::StrCat("read _PyRuntime: Python ", version.Text(),
                     " is not known from outside; use the helper thread"));
  }
  return Known{version, *layout};
}

// A count that can be one; negative ones, which a release leaves for a moment,
// are 0.
std::uint64_t Count(std::int64_t value) {
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

absl::Status ReadCollector(const Memory& memory, std::uint64_t address,
                           Runtime* runtime) {
  using Layout = CollectorLayout;
  std::array<std::byte, Layout::kBytes> bytes;
  if (absl::Status ok = memory.Read(address, bytes); !ok.ok()) return ok;
  if (NumberAt<std::uint64_t>(bytes, Layout::kGeneration0) !=
      address + Layout::kGenerations) {
    return NoInterpreter("its collector is not where it is looked for");
  }
  runtime->collector_enabled =
      NumberAt<std::int32_t>(bytes, Layout::kEnabled) != 0;
  for (std::size_t i = 0; i < kPythonGenerationCount; ++i) {
    PythonCollections& figures = runtime->generations[i];
    const std::uint64_t generation =
        Layout::kGenerations + i * Layout::kGenerationBytes;
    figures.threshold =
        Count(NumberAt<std::int32_t>(bytes, generation + Layout::kThreshold));
    figures.counter =
        Count(NumberAt<std::int32_t>(bytes, generation + Layout::kCounter));
    const std::uint64_t stats = Layout::kStats + i * Layout::kStatsBytes;
    figures.collections = Count(NumberAt<std::int64_t>(bytes, stats));
    figures.collected = Count(NumberAt<std::int64_t>(bytes, stats + 8));
    figures.uncollectable = Count(NumberAt<std::int64_t>(bytes, stats + 16));
    if (std::max({figures.collections, figures.collected,
                  figures.uncollectable}) > kMaximumCount) {
      return NoInterpreter("its collector's counts make no sense");
    }
  }
  return absl::OkStatus();
}

// Interpreters are put at the front of the list, and taken out of it, while we
// go along it.
std::uint32_t CountInterpreters(const Memory& memory, std::uint64_t first,
                                std::uint64_t next) {
  std::uint32_t count = 0;
  for (std::uint64_t at = first; at != 0 && count < kMostInterpreters;) {
    ++count;
    const auto following = memory.Load<std::uint64_t>(at + next);
    if (!following.ok()) break;
    at = *following;
  }
  return std::max(count, 1U);
}

}  // namespace

absl::StatusOr<Runtime> ReadRuntime(const Memory& memory, std::uint64_t runtime,
                                    const PythonVersion& version) {
  const auto known = LayoutAt(memory, runtime, version);
  if (!known.ok()) return known.status();
  std::array<std::byte, 16> list;  // head, main
  absl::Status ok =
      memory.Read(runtime + known->layout.interpreters_head, list);
  if (!ok.ok()) return ok;
  const auto head = NumberAt<std::uint64_t>(list, 0);
  const auto main = NumberAt<std::uint64_t>(list, 8);
  if (main == 0) {
    return absl::FailedPreconditionError(
        "read _PyRuntime: no interpreter is up");
  }
  Runtime result;
  result.version = known->version;
  ok = ReadCollector(memory, main + known->layout.collector, &result);
  if (!ok.ok()) return ok;
  result.interpreters =
      CountInterpreters(memory, head, known->layout.interpreter_next);
  return result;
}

}  // namespace heapledger::collector::python
