// SPDX-License-Identifier: Apache-2.0
#include "preload/housekeeping.h"

#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <cstddef>

#include "heapledger/ledger/layout.h"
#include "heapledger/ledger/name.h"
#include "preload/proc_facts.h"
#include "preload/raw_io.h"

namespace heapledger::preload {
namespace {

constexpr std::uint32_t kManyEntries = 256;
// How many of the dead are kept for `heapledger report` and `postmortem`.
constexpr std::uint32_t kKeptDead = 64;

struct LinuxDirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t record_bytes;
  std::uint8_t type;
  char name[1];
};

// One page of entries at a time; too large for the target's stack.
alignas(8) char g_entries[8192];

// "<digits>-<digits>.": the pid and start time that a name begins with.
bool ParseName(const char* name, std::uint32_t* pid, std::uint64_t* start) {
  std::uint64_t values[2] = {};
  const char ends[2] = {'-', '.'};
  for (int part = 0; part < 2; ++part) {
    int digits = 0;
    for (; *name >= '0' && *name <= '9' && digits < 20; ++name, ++digits) {
      values[part] =
          values[part] * 10 + static_cast<std::uint64_t>(*name - '0');
    }
    if (digits == 0 || *name != ends[part]) return false;
    ++name;
  }
  *pid = static_cast<std::uint32_t>(values[0]);
  *start = values[1];
  return true;
}

template <typename Visit>
void ForEachEntry(int directory, Visit&& visit) {
  raw::Call(SYS_lseek, directory, 0, 0);
  for (;;) {
    const long got =
        raw::Call(SYS_getdents64, directory, reinterpret_cast<long>(g_entries),
                  sizeof g_entries);
    if (got <= 0) return;
    for (long at = 0; at < got;) {
      const auto* const entry =
          reinterpret_cast<const LinuxDirectoryEntry*>(g_entries + at);
      visit(entry->name);
      at += entry->record_bytes;
    }
  }
}

bool HalfFull(int directory) {
  struct statfs facts {};
  if (raw::Call(SYS_fstatfs, directory, reinterpret_cast<long>(&facts)) != 0) {
    return false;
  }
  return facts.f_bfree < facts.f_blocks / 2;
}

bool OfOurPidNamespace(int directory, const char* name,
                       std::uint64_t pid_namespace) {
  const int file = static_cast<int>(
      raw::Call(SYS_openat, directory, reinterpret_cast<long>(name),
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  // A marker is a symbolic link, which this open refuses: it names no
  // namespace and is worth nothing.
  if (file < 0) return true;
  std::uint64_t theirs = 0;
  raw::Call(SYS_pread64, file, reinterpret_cast<long>(&theirs), sizeof theirs,
            offsetof(ledger::Header, pid_namespace));
  raw::Close(file);
  return theirs == pid_namespace;
}

}  // namespace

void TidyDirectory(const char* directory) {
  const int at = raw::Open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (at < 0) return;
  std::uint32_t entries = 0;
  ForEachEntry(at, [&](const char*) { ++entries; });
  if (entries > kManyEntries || (entries > kKeptDead && HalfFull(at))) {
    const std::uint64_t pid_namespace = PidNamespace();
    std::uint32_t dead = 0;
    // tmpfs lists the newest first.
    ForEachEntry(at, [&](const char* name) {
      std::uint32_t pid;
      std::uint64_t start;
      if (!ParseName(name, &pid, &start)) return;
      if (StartTimeTicks(pid) == start) return;
      if (++dead <= kKeptDead) return;
      if (!OfOurPidNamespace(at, name, pid_namespace)) return;
      raw::Call(SYS_unlinkat, at, reinterpret_cast<long>(name), 0);
    });
  }
  raw::Close(at);
}

}  // namespace heapledger::preload
