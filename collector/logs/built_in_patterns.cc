// SPDX-License-Identifier: Apache-2.0
// The wordings that kernels, runtimes and servers use when memory runs short.
// Where only one program can mean it, its name is part of the wording: a line
// that quotes the kernel is no kernel's.
#include "collector/logs/pattern.h"

namespace heapledger::collector::logs {
namespace {

Pattern OomKiller() {
  const std::vector<std::string> kernel = {"kernel"};
  Pattern pattern{"oom_killer",
                  Severity::kCritical,
                  "the kernel or an OOM daemon killed for want of memory",
                  {}};
  pattern.wordings = {
      // mm/oom_kill.c. Up to 4.20 a first line says "Kill process", a second
      // "Killed process"; since 5.0 there is one. Who died stands in the
      // second, so the first names nobody.
      {R"(^(?:(?:Memory cgroup )?out of memory(?: \(oom_kill_allocating_task\))?: )?Killed process (?P<pid>\d+),?(?: UID \d+,)? \((?P<killed>.{1,64})\),?(?: UID \d+,)? (?:total-vm|vsz):)",
       kernel,
       "",
       {}},
      {R"(^Out of memory: Killed process (?P<pid>\d+) \((?P<killed>.{1,64})\)\.?$)",
       kernel,
       "",
       {}},
      {R"(^(?:Memory cgroup )?out of memory(?: \(oom_kill_allocating_task\))?: Kill process \d+ \()",
       kernel,
       "",
       {}},
      {R"(^(?:Memory cgroup )?out of memory and no killable processes)",
       kernel,
       "",
       {}},
      {R"(^oom-kill:constraint=)", kernel, "", {}},
      {R"(^.{1,64} invoked oom-killer: (?:gfp_mask|order)=)", kernel, "", {}},
      {R"(^oom_reaper: reaped process \d+ \()", kernel, "", {}},
      {R"(^Task in .* killed as a result of limit of )", kernel, "", {}},
      {R"(^Tasks in .* are going to be killed due to memory\.oom\.group set)",
       kernel,
       "",
       {}},
      {R"(^(?:Killed|Marked) (?P<killed>/.{1,256}?)(?: for killing)? due to memory (?:pressure|used) )",
       {"systemd-oomd"},
       "",
       {}},
      {R"(: (?:A process of this unit has been killed by the OOM killer|The kernel OOM killer killed some processes in this unit)\.)",
       {"systemd"},
       "",
       {}},
      {R"(: systemd-oomd killed (?:\d+|some) process)", {"systemd"}, "", {}},
      {R"(: Failed with result 'oom-kill'\.)", {"systemd"}, "", {}},
      {R"re(^sending SIG(?:TERM|KILL) to process (?P<pid>\d+) uid \d+ "(?P<killed>.{1,64}?)": )re",
       {"earlyoom"},
       "",
       {}},
      {R"(\bSystem OOM encountered, victim process: (?P<killed>[^,]{1,64}), pid: (?P<pid>\d+))",
       {"kubelet"},
       "",
       {}},
  };
  return pattern;
}

Pattern MallocFail() {
  Pattern pattern{"malloc_fail",
                  Severity::kHigh,
                  "a program asked for memory and was refused",
                  {}};
  pattern.wordings = {
      // The C and C++ libraries.
      {R"(\bterminate called after throwing an instance of 'std::bad_(?:array_new_length|alloc)')",
       {},
       "",
       {}},
      {R"((?:^|[\s:(])std::bad_alloc(?:$|[\s:),.]))",
       {},
       R"(\b(?:no|without|handles?|caught expected|catches)\b.*std::bad_alloc|std::bad_alloc.*\b(?:test|passed)\b)",
       {}},
      {R"((?:^|[:('] ?)(?:\[Errno 12\] |12: )?Cannot allocate memory(?:$|[\s).,;:']))",
       {},
       R"(\b(?:retry|retried) succeeded\b|\btest\b.*\bpassed\b)",
       {}},
      {R"(\b(?:m|re|c|k|v|posix_mem)alloc(?:\(.{0,40}\))?:? (?:of .{1,40} )?(?:has )?failed\b)",
       {},
       R"(\b(?:0|no|none|zero|never) failed\b|\bfailed[:=] ?0\b)",
       {}},
      {R"(\bx(?:m|re|c)alloc: cannot allocate \d+ bytes)", {}, "", {}},
      {R"(^memory allocation failed\b|[:\]] memory allocation failed\b)",
       {},
       R"(\bfailed[:=] ?0\b)",
       {}},
      // The kernel.
      {R"(\bpage allocation failure: order:\d)", {"kernel"}, "", {}},
      {R"(\bvmalloc: allocation failure\b)", {"kernel"}, "", {}},
      {R"(^vmap allocation for size \d+ failed\b)", {"kernel"}, "", {}},
      {R"(\bSLUB: Unable to allocate memory on node\b)", {"kernel"}, "", {}},
      // Allocators.
      {R"(^<jemalloc>: Error in \w+\(\): out of memory)", {}, "", {}},
      {R"(\btcmalloc: allocation failed \d+)", {}, "", {}},
      {R"(^mimalloc: (?:error|warning): (?:unable to allocate|out of memory))",
       {},
       "",
       {}},
      // Runtimes.
      {R"((?:^|[\s:])java\.lang\.OutOfMemoryError(?::|$|\s))",
       {},
       R"(-XX:[+\w]*OnOutOfMemoryError)",
       {}},
      {R"(\bThere is insufficient memory for the Java Runtime Environment to continue\b)",
       {},
       "",
       {}},
      {R"(\bJavaScript heap out of memory\b)", {}, "", {}},
      {R"(\bFatal process OOM\b|\bFATAL ERROR: .* Allocation failed - process out of memory)",
       {},
       "",
       {}},
      {R"(^(?:fatal error: )?runtime: (?:cannot allocate memory|out of memory)\b)",
       {},
       "",
       {}},
      {R"(^(?:[\w.]+\.)?_?(?:Array)?MemoryError(?::|$))", {}, "", {}},
      {R"(^memory allocation of \d+ bytes failed)", {}, "", {}},
      {R"(\bAllowed memory size of \d+ bytes exhausted\b)", {}, "", {}},
      {R"(\bfailed to allocate memory \(NoMemoryError\))", {}, "", {}},
      {R"(^Out of memory!|^Out of memory in perl:)", {}, "", {}},
      {R"(\bSystem\.OutOfMemoryException\b)", {}, "", {}},
      // Servers.
      {R"(\b(?:ERROR|FATAL):\s+out of memory\b)", {}, "", {}},
      {R"(\bOut Of Memory allocating \d+ bytes)", {}, "", {}},
      {R"(\bOut of memory \(Needed \d+ bytes\))", {}, "", {}},
      {R"(\bFATAL:\s+could not map anonymous shared memory: Cannot allocate memory)",
       {},
       "",
       {}},
  };
  return pattern;
}

Pattern GcPressure() {
  Pattern pattern{
      "gc_pressure", Severity::kMedium, "a garbage collection took long", {}};
  pattern.wordings = {
      // CPython with gc.set_debug(gc.DEBUG_STATS).
      {R"(^gc: done, \d+ unreachable, \d+ uncollectable, (?P<number>[0-9.]+)s elapsed)",
       {},
       "",
       0.1},
      // The JVM's unified logging, and that of JDK 8.
      {R"(\bPause (?:Full|Young|Remark|Initial Mark|Cleanup)\b.* (?P<number>[0-9.]+)ms$)",
       {},
       "",
       200},
      {R"(\[Full GC\b.*, (?P<number>[0-9.]+) secs\])", {}, "", 0.2},
      {R"(\bGC overhead limit exceeded\b)", {}, "", {}},
      {R"(\[gc\]\[\d+\] overhead, spent \[)", {}, "", {}},
      // Go with GODEBUG=gctrace=1: the share of time since the start.
      {R"(^gc \d+ @[0-9.]+s (?P<number>\d+)%: )", {}, "", 10},
      // node --trace-gc.
      {R"(\bms: (?:Mark-(?:sweep|Compact)|Scavenge)\b.* MB, (?P<number>[0-9.]+) / )",
       {},
       "",
       200},
      // .NET, Ruby and the like say "gc: N ms" where they say anything.
      {R"(\bgc: (?P<number>\d+) ms\b)", {}, "", 200},
  };
  return pattern;
}

Pattern MemoryWarning() {
  // A warning that is over, or is about a setting, warns of nothing.
  const std::string over =
      R"(\b(?:no|not|without|zero|0) (?:\w+ ){0,2}(?:low memory|memory (?:\w+ )?(?:pressure|warning))|)"
      R"(\blow memory (?:corruption|killer)|memory pressure (?:limit|usage)|)"
      R"(\b(?:threshold|disabled|enabled|configured|registered|cleared|relieved|resolved|ended|over|suppressed|test(?:s|ed)?|docs?|set to|level(?:=| is )(?:normal|none))\b)";
  Pattern pattern{"memory_warning",
                  Severity::kLow,
                  "a program warned that memory runs low",
                  {}};
  pattern.wordings = {
      {R"((?:^|[\s\[:(])low memory(?:$|[\s!:.,\])]))", {}, over, {}},
      {R"(\bmemory (?:\w+ )?(?:pressure|warning)\b)",
       {},
       over + R"(|^(?:Killed|Marked) /.* due to memory)",
       {}},
      {R"(\bmemory usage (?:is )?(?:high|critical|at 9\d(?:\.\d+)?%))",
       {},
       over,
       {}},
      {R"(^tcmalloc: large alloc \d+ bytes)", {}, "", {}},
      {R"(\bEvictionManager: attempting to reclaim\b.*memory|\bThe node was low on resource: memory\b)",
       {},
       "",
       {}},
      {R"(\bUnder memory pressure, flushing caches\b)",
       {"systemd-journald"},
       "",
       {}},
  };
  return pattern;
}

Pattern SwapThrashing() {
  Pattern pattern{"swap_thrashing",
                  Severity::kHigh,
                  "pages go out and come back all the time",
                  {}};
  const std::string none =
      R"(\b(?:no|not|without|never)\b.*\b(?:swap|thrashing)|\b(?:threshold|disabled|enabled|ended|resolved)\b)";
  pattern.wordings = {
      {R"(\bswap(?:ping)?\b.{0,40}\bthrashing\b|\bthrashing\b.{0,40}\bswap)",
       {},
       none,
       {}},
      {R"(\bexcessive swapping\b)", {}, none, {}},
  };
  return pattern;
}

}  // namespace

std::vector<Pattern> BuiltInPatterns() {
  return {OomKiller(), MallocFail(), GcPressure(), MemoryWarning(),
          SwapThrashing()};
}

}  // namespace heapledger::collector::logs
