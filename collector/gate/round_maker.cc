// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/round_maker.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/ledger/fingerprint.h"

namespace heapledger::collector::gate {
namespace {

// Why nothing is known of what an image left; empty where it is.
std::string WhyNotJudged(const LedgerSnapshot& snapshot) {
  if (snapshot.state == ProcessState::kOff) {
    return absl::StrCat(OffReasonText(snapshot.off_reason), "; ",
                        OffReasonRemedy(snapshot.off_reason));
  }
  switch (snapshot.scan.state) {
    case ScanState::kComplete:
      return snapshot.corrupt_records == 0
                 ? ""
                 : "its ledger has records that make no sense";
    case ScanState::kIncomplete:
      return absl::StrCat("its scan was given up: ",
                          ScanReasonText(snapshot.scan.reason));
    case ScanState::kNotAsked:
    case ScanState::kUnknown:
      return "its shim knows no scan at exit; use the one of this heapledger";
    case ScanState::kPending:
    case ScanState::kRunning:
      break;
  }
  if (snapshot.state == ProcessState::kLive ||
      snapshot.state == ProcessState::kStarting) {
    return "it still runs; end it within the test, or give it longer with "
           "--wait";
  }
  return "it ended without its exit scan: killed, aborted, or by a system call "
         "of its own";
}

Fingerprint FingerprintOf(const LedgerSnapshot& snapshot,
                          const CallsiteInfo& callsite, FrameNames& names) {
  if (callsite.overflow) return OverflowFingerprint();
  std::vector<FrameHash> stack;
  for (const std::uint32_t frame : snapshot.stack(callsite)) {
    stack.push_back(HashFrame(names.Resolve(snapshot, frame).back()));
  }
  return collector::FingerprintOf(
      stack, callsite.cut ? StackEnd::kCut : StackEnd::kOutermost);
}

StackFunction FunctionOf(const LedgerSnapshot& snapshot, std::uint32_t frame,
                         const ResolvedFrame& resolved) {
  StackFunction function{resolved.function, resolved.file, resolved.line,
                         resolved.module, ""};
  if (function.function.empty()) {
    function.function =
        absl::StrCat(resolved.module, "+0x", absl::Hex(resolved.rel_pc));
  }
  const ModuleInfo* const module =
      snapshot.module_of(snapshot.tables->frames[frame]);
  if (module != nullptr) function.module_path = module->path;
  return function;
}

}  // namespace

void RoundMaker::Add(const LedgerSnapshot& snapshot, std::uint32_t root_pid,
                     ImageFate fate) {
  ProcessImage image;
  image.pid = snapshot.identity.pid;
  image.image = snapshot.identity.image;
  image.program = snapshot.identity.Program();
  image.is_root = image.pid == root_pid;
  image.peak_bytes = snapshot.peak_live_bytes;
  image.allocations = snapshot.totals.allocated_objects;
  image.scan_ns = snapshot.scan.duration_ns;
  if (fate == ImageFate::kReplaced ||
      snapshot.state == ProcessState::kReplaced) {
    image.fate = ImageFate::kReplaced;
    round_.images.push_back(std::move(image));
    return;
  }
  image.why = WhyNotJudged(snapshot);
  if (!image.why.empty()) {
    round_.images.push_back(std::move(image));
    return;
  }
  image.fate = ImageFate::kJudged;
  const std::string process =
      absl::StrCat(image.program, " (pid ", image.pid, ")");
  std::vector<LeakCounts> leaked(snapshot.counters.size());
  for (const LeakRecord& record : snapshot.scan.leaks) {
    leaked[record.callsite] = record.counts;
  }
  for (std::uint32_t i = 0; i < snapshot.counters.size(); ++i) {
    const Amount unreachable{
        leaked[i].direct_bytes + leaked[i].indirect_bytes,
        leaked[i].direct_objects + leaked[i].indirect_objects};
    // A forked child has lost the threads of its parent and their stacks, and
    // what they alone hold is no leak of anybody's.
    if (snapshot.callsites()[i].inherited) {
      image.inherited_unreachable += unreachable;
      continue;
    }
    const Amount live{snapshot.counters[i].live_bytes(),
                      snapshot.counters[i].live_objects()};
    image.live += live;
    AddTag(snapshot, i, live);
    image.unreachable += unreachable;
    if (unreachable.objects != 0 ||
        (callsites_ == Callsites::kAllLive && live.objects != 0)) {
      AddCallsite(snapshot, i, leaked[i], process);
    }
  }
  round_.images.push_back(std::move(image));
}

void RoundMaker::AddTag(const LedgerSnapshot& snapshot, std::uint32_t callsite,
                        const Amount& live) {
  if (live.objects == 0) return;
  const std::vector<TagInfo>& tags = snapshot.tables->tags;
  const std::uint32_t tag = snapshot.callsites()[callsite].tag;
  const TagInfo none{
      std::string(snapshot.callsites()[callsite].overflow ? kOtherTagName
                                                          : kUntaggedName),
      {}};
  const TagInfo& of = tag < tags.size() ? tags[tag] : none;
  TagAmount& amount = round_.tags[of.Text()];
  amount.name = of.name;
  amount.live += live;
}

void RoundMaker::AddMissing(MissingImage missing) {
  round_.missing.push_back(std::move(missing));
}

void RoundMaker::AddCallsite(const LedgerSnapshot& snapshot,
                             std::uint32_t index, const LeakCounts& leaked,
                             const std::string& process) {
  const CallsiteInfo& callsite = snapshot.callsites()[index];
  const HeapCounters& counters = snapshot.counters[index];
  const Fingerprint fingerprint = FingerprintOf(snapshot, callsite, names_);
  Finding& finding = round_.callsites[fingerprint];
  if (finding.processes.empty()) {
    finding.callsite = fingerprint;
    finding.name = NameCallsite(snapshot, callsite, names_);
    for (const std::uint32_t frame : snapshot.stack(callsite)) {
      for (const ResolvedFrame& resolved : names_.Resolve(snapshot, frame)) {
        finding.stack.push_back(FunctionOf(snapshot, frame, resolved));
      }
    }
  }
  finding.direct += {leaked.direct_bytes, leaked.direct_objects};
  finding.indirect += {leaked.indirect_bytes, leaked.indirect_objects};
  finding.live += {counters.live_bytes(), counters.live_objects()};
  if (std::ranges::find(finding.processes, process) ==
      finding.processes.end()) {
    finding.processes.push_back(process);
  }
}

Round RoundMaker::Take(int program_status) {
  round_.program_status = program_status;
  return std::exchange(round_, {});
}

}  // namespace heapledger::collector::gate
