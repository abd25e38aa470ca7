// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/memory_view.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/cli/output.h"
#include "collector/cli/trim_json.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

// How near to its peak live memory counts as being there.
constexpr double kAtPeak = 0.95;
// How near to what a trim left resident memory counts as being that.
constexpr double kAsTrimmed = 1.05;

std::string AllocatorName(const LedgerSnapshot& snapshot) {
  return snapshot.allocator == Allocator::kUnknown
             ? "the allocator"
             : std::string(AllocatorWord(snapshot.allocator));
}

std::string ClassText(std::size_t size_class) {
  if (size_class < kSizeClassEnds.size()) {
    return absl::StrCat("blocks of up to ",
                        HumanBytes(kSizeClassEnds[size_class]));
  }
  return absl::StrCat("blocks above ", HumanBytes(kSizeClassEnds.back()));
}

// The class whose blocks keep most of what is not live in memory.
std::size_t WorstClass(const HeapPages& pages) {
  return static_cast<std::size_t>(
      std::ranges::max_element(pages.classes, {},
                               &SizeClassPages::pinned_bytes) -
      pages.classes.begin());
}

std::string PeakText(const LedgerSnapshot& snapshot) {
  const auto live = static_cast<double>(snapshot.totals.live_bytes());
  const auto peak = static_cast<double>(snapshot.peak_live_bytes);
  return live >= kAtPeak * peak
             ? "which is as much as it ever had"
             : absl::StrCat("and has had ",
                            HumanBytes(snapshot.peak_live_bytes));
}

// Whether what is retained is what the last trim left.
bool WasTrimmed(const TrimFacts& trim, const MemoryWaterfall& parts) {
  return trim.trims != 0 && !trim.torn &&
         static_cast<double>(parts.sum() - parts.file) <=
             kAsTrimmed * static_cast<double>(trim.after.resident);
}

// What a trim would do about what is retained, by what each allocator can.
std::string TrimOutlook(const LedgerSnapshot& snapshot,
                        const MemoryWaterfall& parts) {
  if (WasTrimmed(snapshot.trim, parts)) {
    return absl::StrCat("the last trim left that to ", AllocatorName(snapshot),
                        ", for its caches and tables");
  }
  const std::string trim =
      absl::StrCat("heapledger trim ", snapshot.identity.pid, " would return ");
  switch (snapshot.allocator) {
    case Allocator::kGlibc:
    case Allocator::kJemalloc:
    case Allocator::kTcmalloc:
      return trim + "about that much";
    case Allocator::kMimalloc:
      return trim +
             "part of it, as mimalloc lets go of the rest in its own time";
    case Allocator::kUnknown:
      break;
  }
  return trim + "up to that much";
}

std::string Part(const char* name, std::uint64_t bytes) {
  return absl::StrCat(name, " ", HumanBytes(bytes));
}

std::string WaterfallLine(const LedgerSnapshot& snapshot,
                          const MemoryWaterfall& parts) {
  return absl::StrCat(
      "resident ", HumanBytes(parts.sum()), ": ",
      absl::StrJoin(
          {Part("live", parts.live), Part("fragmentation", parts.fragmentation),
           Part(absl::StrCat("retained by ", AllocatorName(snapshot)).c_str(),
                parts.retained),
           Part("heapledger", parts.ledger), Part("stacks", parts.stack),
           Part("files", parts.file), Part("other", parts.other)},
          ", "),
      "\n");
}

std::string TrimLine(const TrimFacts& trim) {
  if (trim.trims == 0 || trim.torn) return "";
  const std::uint64_t returned =
      trim.before.resident -
      std::min(trim.before.resident, trim.after.resident);
  return absl::StrCat("last trim ", UtcTimeText(trim.realtime_ns), " (of ",
                      HumanCount(trim.trims), ", asked for by ",
                      std::string(TrimAskerWord(trim.asked_by)), "): returned ",
                      HumanBytes(returned), ", leaving ",
                      HumanBytes(trim.after.resident), "\n");
}

Json PartsJson(const MemoryWaterfall& parts) {
  return {{"live", parts.live},
          {"fragmentation", parts.fragmentation},
          {"allocator_retained", parts.retained},
          {"ledger", parts.ledger},
          {"stack", parts.stack},
          {"file", parts.file},
          {"other", parts.other}};
}

Json PressureJson(const PressureFacts& pressure) {
  Json json;
  json["listens"] = pressure.listens();
  json["taken"] = pressure.taken;
  json["last_level"] = std::string(PressureWord(pressure.taken_level));
  json["callbacks"] = Json::array();
  for (const PressureListenerFacts& listener : pressure.listeners) {
    json["callbacks"].push_back(
        {{"address", absl::StrCat("0x", absl::Hex(listener.callback))},
         {"least_level", std::string(PressureWord(static_cast<PressureLevel>(
                             listener.least_level)))},
         {"runs", listener.runs},
         {"seconds", static_cast<double>(listener.total_ns) / 1e9},
         {"longest_seconds", static_cast<double>(listener.longest_ns) / 1e9}});
  }
  return json;
}

Json ClassesJson(const HeapPages& pages) {
  Json list = Json::array();
  for (std::size_t i = 0; i < pages.classes.size(); ++i) {
    const SizeClassPages& counts = pages.classes[i];
    Json json;
    if (i < kSizeClassEnds.size()) json["up_to_bytes"] = kSizeClassEnds[i];
    json["objects"] = counts.blocks;
    json["live_bytes"] = counts.live_bytes;
    json["pinned_bytes"] = counts.pinned_bytes;
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

std::string VerdictSentence(const LedgerSnapshot& snapshot,
                            const MemoryLook& look) {
  const MemoryWaterfall& parts = look.waterfall;
  const std::uint32_t pid = snapshot.identity.pid;
  const std::string of_heap =
      absl::StrCat(" of ", HumanBytes(parts.heap()), " of heap ");
  const std::string trim =
      absl::StrCat("heapledger trim ", pid, " would return ");
  switch (JudgeHeap(parts)) {
    case HeapVerdict::kSmall:
      return "too little memory for a verdict";
    case HeapVerdict::kRetained:
      return absl::StrCat("retained, not a leak: ", HumanBytes(parts.retained),
                          of_heap, "is in no live block; ",
                          TrimOutlook(snapshot, parts));
    case HeapVerdict::kLive:
      return absl::StrCat("live, not retained: ", HumanBytes(parts.live),
                          of_heap, "is in live blocks, ", PeakText(snapshot),
                          "; ", trim, "at most ", HumanBytes(parts.retained),
                          "; heapledger leaks ", pid,
                          " --duration 5m (growth) or --scan (unreachable) "
                          "says whether it leaks");
    case HeapVerdict::kFragmented: {
      const std::size_t worst = WorstClass(look.pages);
      return absl::StrCat(
          "fragmented, not a leak: live blocks of ", HumanBytes(parts.live),
          " lie on pages of ", HumanBytes(parts.live + parts.fragmentation),
          ", most of them pinned by ", ClassText(worst), " (",
          HumanBytes(look.pages.classes[worst].pinned_bytes),
          "); no trim returns that, ", trim, HumanBytes(parts.retained));
    }
    case HeapVerdict::kMixed:
      return absl::StrCat("mixed: of ", HumanBytes(parts.heap()),
                          " of heap, live blocks are ", HumanBytes(parts.live),
                          ", free memory between them ",
                          HumanBytes(parts.fragmentation), ", and ", trim,
                          HumanBytes(parts.retained));
    case HeapVerdict::kElsewhere:
      break;
  }
  return absl::StrCat(
      "not the heap: ", HumanBytes(parts.other + parts.stack),
      " is in stacks, or mapped by the program itself; heap is ",
      HumanBytes(parts.heap()));
}

std::string EndSentence(const LedgerSnapshot& snapshot) {
  const std::uint64_t peak = snapshot.peak_live_bytes;
  const std::uint64_t live = std::min(snapshot.totals.live_bytes(), peak);
  if (peak < kSmallHeapBytes || snapshot.estimated() ||
      snapshot.mode != MeasureMode::kExact || snapshot.armed_realtime_ns != 0 ||
      snapshot.disarmed_realtime_ns != 0) {
    return "";
  }
  const std::string of_peak =
      absl::StrCat(" of a peak of ", HumanBytes(peak), " ");
  if (live < peak / 2) {
    return absl::StrCat(
        HumanBytes(peak - live), of_peak,
        "was freed before the end: memory that it kept all the same was "
        "retained by ",
        AllocatorName(snapshot), ", not leaked");
  }
  return absl::StrCat(HumanBytes(live), of_peak,
                      "was still live at the end, and not retained by ",
                      AllocatorName(snapshot),
                      "; heapledger gate -- CMD says whether that is a leak");
}

std::string MemoryLines(const LedgerSnapshot& snapshot,
                        const MemoryFacts& facts) {
  std::string text;
  const std::string end = facts.ended ? EndSentence(snapshot) : "";
  if (!end.empty()) text = absl::StrCat("leak or retained: ", end, "\n");
  if (facts.look) {
    text =
        absl::StrCat(WaterfallLine(snapshot, facts.look->waterfall),
                     "verdict: ", VerdictSentence(snapshot, *facts.look), "\n");
  } else if (!facts.why_not.empty() && !facts.ended) {
    text = absl::StrCat("leak or retained: not known, ", facts.why_not, "\n");
  }
  return text + TrimLine(snapshot.trim);
}

Json MemoryJson(const LedgerSnapshot& snapshot, const MemoryFacts& facts) {
  Json json;
  json["allocator"] = std::string(AllocatorWord(snapshot.allocator));
  if (facts.look) {
    const MemoryWaterfall& parts = facts.look->waterfall;
    json["resident_bytes"] = parts.sum();
    json["resident_parts"] = PartsJson(parts);
    json["verdict"] = std::string(HeapVerdictWord(JudgeHeap(parts)));
    json["verdict_text"] = VerdictSentence(snapshot, *facts.look);
    json["would_return_bytes"] = parts.retained;
    json["swapped_bytes"] = facts.look->pages.swapped;
    json["size_classes"] = ClassesJson(facts.look->pages);
  } else {
    json["verdict"] = "unknown";
    if (!facts.why_not.empty()) json["reason"] = facts.why_not;
    const std::string end = facts.ended ? EndSentence(snapshot) : "";
    if (!end.empty()) json["verdict_text"] = end;
  }
  json["trims"] = snapshot.trim.trims;
  if (snapshot.trim.trims != 0 && !snapshot.trim.torn) {
    json["last_trim"] = TrimJson(snapshot.trim);
  }
  json["pressure"] = PressureJson(snapshot.pressure);
  return json;
}

}  // namespace heapledger::collector::cli
