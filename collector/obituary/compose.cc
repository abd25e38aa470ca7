// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/compose.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/obituary/words.h"

namespace heapledger::collector::obituary {
namespace {

// PROC_PID_INIT_INO of include/linux/proc_ns.h.
constexpr std::uint64_t kFirstPidNamespace = 4026531836;
// Clocks: the kernel's log counts from boot, and NTP may have moved ours since.
constexpr std::uint64_t kClockSlackNs = 2'000'000'000;
constexpr std::size_t kMaxOthers = 10;

bool HasKernelsPid(const LedgerIdentity& who) {
  return who.pid_namespace == 0 || who.pid_namespace == kFirstPidNamespace;
}

bool Names(const OomTask& task, const LedgerIdentity& who) {
  return HasKernelsPid(who) ? task.pid == who.pid : task.name == who.comm;
}

bool InLife(std::uint64_t time_ns, const LedgerIdentity& who,
            std::uint64_t not_after_ns) {
  return time_ns + kClockSlackNs >= who.created_realtime_ns &&
         (time_ns <= kClockSlackNs || time_ns - kClockSlackNs <= not_after_ns);
}

// The thread that faulted is known by its own id: in a program of one thread,
// the process'.
const FaultLine* FindFault(const KernelDeaths& kernel,
                           const LedgerIdentity& who,
                           std::uint64_t not_after_ns) {
  if (!HasKernelsPid(who)) return nullptr;
  const FaultLine* found = nullptr;
  for (const FaultLine& fault : kernel.faults()) {
    if (fault.pid == who.pid && InLife(fault.realtime_ns, who, not_after_ns)) {
      found = &fault;
    }
  }
  return found;
}

std::uint64_t NotAfter(const DeathFacts& facts) {
  return facts.noticed_ns != 0 ? facts.noticed_ns
                               : std::numeric_limits<std::uint64_t>::max();
}

void SetTime(const DeathFacts& facts, const FaultLine* fault,
             Obituary& obituary) {
  const LedgerSnapshot& snapshot = *facts.snapshot;
  obituary.died_exactly = true;
  if (obituary.ending.kind == EndKind::kOomKill && obituary.oom) {
    obituary.died_realtime_ns = obituary.oom->realtime_ns;
  } else if (snapshot.state == ProcessState::kExited) {
    obituary.died_realtime_ns = snapshot.state_changed_realtime_ns;
  } else if (obituary.ending.kind == EndKind::kCrash && fault != nullptr) {
    obituary.died_realtime_ns = fault->realtime_ns;
  } else if (facts.seen_to_die) {
    obituary.died_realtime_ns = facts.noticed_ns;
  } else {
    obituary.died_exactly = false;
    obituary.died_realtime_ns = std::max(
        {facts.alive_at_least_ns, snapshot.identity.created_realtime_ns,
         snapshot.armed_realtime_ns, snapshot.disarmed_realtime_ns});
  }
}

// The kernel's table is of the moment itself and of processes that nobody
// watched; it goes before ours.
void SetOthers(const LedgerIdentity& who, Obituary& obituary) {
  if (!obituary.oom || obituary.oom->tasks.empty()) return;
  obituary.others.clear();
  for (const OomTask& task : obituary.oom->tasks) {
    if (Names(task, who)) {
      if (obituary.last_resident_bytes == 0) {
        obituary.last_resident_bytes = task.resident_bytes;
      }
      continue;
    }
    if (obituary.others.size() == kMaxOthers) break;
    const bool killed =
        std::ranges::find(obituary.oom->killed, task.pid, &OomTask::pid) !=
        obituary.oom->killed.end();
    obituary.others.push_back(
        {task.name, task.pid, task.resident_bytes, killed});
  }
}

std::string KillText(const OomReport& report) {
  std::string text = report.limit_cgroup.empty()
                         ? "the OOM killer chose "
                         : absl::StrCat("the OOM killer of memory cgroup ",
                                        report.limit_cgroup, " chose ");
  for (std::size_t i = 0; i < report.killed.size(); ++i) {
    const OomTask& task = report.killed[i];
    absl::StrAppend(&text, i == 0 ? "" : ", ", task.name, " (pid ", task.pid,
                    ", ", BytesText(static_cast<double>(task.resident_bytes)),
                    " resident)");
  }
  if (!report.invoked_by.empty()) {
    absl::StrAppend(&text, "; ", report.invoked_by, " asked for memory");
  }
  return text;
}

void SetEvents(const DeathFacts& facts, const FaultLine* fault,
               Obituary& obituary) {
  const LedgerSnapshot& snapshot = *facts.snapshot;
  std::vector<Event>& events = obituary.events;
  events.push_back(
      {snapshot.identity.created_realtime_ns, "start",
       snapshot.identity.parent_pid == 0
           ? "the program began"
           : absl::StrCat("forked by pid ", snapshot.identity.parent_pid)});
  if (obituary.watched_since_ns != 0) {
    events.push_back(
        {obituary.watched_since_ns, "watch", "the collector began to watch"});
  }
  for (const HlMark& mark : facts.marks) {
    events.push_back(
        {mark.taken_realtime_ns, "mark",
         absl::StrCat("mark ", mark.name, ": live heap ",
                      BytesText(static_cast<double>(mark.live_bytes)))});
  }
  if (obituary.oom) {
    events.push_back(
        {obituary.oom->realtime_ns, "kernel", KillText(*obituary.oom)});
  }
  if (fault != nullptr) {
    events.push_back({fault->realtime_ns, "kernel", fault->text});
  }
  events.push_back(
      {obituary.died_realtime_ns, "end",
       obituary.died_exactly ? "it ended" : "it ended then or later"});
  std::ranges::stable_sort(events, {}, &Event::realtime_ns);
}

void SetRemarks(const DeathFacts& facts, Obituary& obituary) {
  std::vector<std::string>& remarks = obituary.remarks;
  if (facts.life == nullptr) {
    remarks.push_back(
        "no collector watched it: there is no history; run heapledger collect "
        "--obituaries DIR to have one next time");
  }
  if (facts.kernel == nullptr) {
    remarks.push_back(
        "the kernel's log cannot be read: whether the OOM killer chose it is "
        "known from the cgroup's counts at best; give CAP_SYSLOG");
  }
  if (facts.snapshot->state == ProcessState::kOff) {
    remarks.push_back(
        absl::StrCat("the shim had stopped measuring before it died: ",
                     OffReasonText(facts.snapshot->off_reason)));
  }
}

}  // namespace

const OomReport* FindKill(const KernelDeaths& kernel, const LedgerIdentity& who,
                          std::uint64_t not_after_ns) {
  const OomReport* found = nullptr;
  for (const OomReport& report : kernel.reports()) {
    if (!InLife(report.realtime_ns, who, not_after_ns)) continue;
    const bool named = std::ranges::any_of(
        report.killed,
        [&who](const OomTask& task) { return Names(task, who); });
    if (named) found = &report;
  }
  return found;
}

Obituary Compose(const DeathFacts& facts, FrameNames& names) {
  const LedgerSnapshot& snapshot = *facts.snapshot;
  const LedgerIdentity& who = snapshot.identity;
  Obituary obituary;
  obituary.sealed_by = facts.sealed_by;
  if (facts.life != nullptr) {
    facts.life->Tell(names, obituary);
    if (facts.life->place()) {
      obituary.cgroup_after = ReadCgroupFacts(*facts.life->place());
    }
  }
  obituary.host_after = facts.host_after;
  EndFacts end;
  end.state = snapshot.state;
  end.wait = facts.wait;
  if (facts.kernel != nullptr) {
    end.report = FindKill(*facts.kernel, who, NotAfter(facts));
    end.fault = FindFault(*facts.kernel, who, NotAfter(facts));
  }
  if (obituary.cgroup_before) {
    end.oom_kills_before = obituary.cgroup_before->oom_kills;
  }
  if (obituary.cgroup_after) {
    end.oom_kills_after = obituary.cgroup_after->oom_kills;
  }
  obituary.ending = JudgeEnding(end);
  if (obituary.ending.kind == EndKind::kOomKill && end.report != nullptr) {
    obituary.oom = *end.report;
    if (!HasKernelsPid(who)) {
      obituary.ending.likely = true;
      obituary.ending.evidence.push_back(
          "it is known there by its name and the time: its pid is of another "
          "namespace than the kernel's");
    }
  }
  SetTime(facts, end.fault, obituary);
  SetOthers(who, obituary);
  SetEvents(facts, end.fault, obituary);
  SetRemarks(facts, obituary);
  return obituary;
}

}  // namespace heapledger::collector::obituary
