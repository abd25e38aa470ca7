// SPDX-License-Identifier: Apache-2.0
#include "preload/proc_facts.h"

#include "heapledger/ledger/name.h"
#include "preload/raw_io.h"

namespace heapledger::preload {
namespace {

constexpr std::size_t kCommBytes = 16;

void CopyComm(const char* text, long open, long close, char* comm) {
  std::size_t filled = 0;
  for (long i = open + 1; i < close && filled + 1 < kCommBytes; ++i) {
    comm[filled++] = text[i];
  }
  comm[filled] = '\0';
}

}  // namespace

std::uint64_t PidNamespace() {
  // "pid:[4026531836]"
  char link[64];
  std::uint64_t inode = 0;
  if (raw::ReadLink("/proc/self/ns/pid", link, sizeof link) <= 0) return 0;
  for (const char* c = link; *c != '\0'; ++c) {
    if (*c >= '0' && *c <= '9') {
      inode = inode * 10 + static_cast<std::uint64_t>(*c - '0');
    }
  }
  return inode;
}

std::uint64_t StartTimeTicks(std::uint32_t pid, char* comm) {
  char path[40];
  ledger::NameBuilder name(path, sizeof path);
  name.Text("/proc/");
  if (pid == 0) {
    name.Text("self");
  } else {
    name.Number(pid);
  }
  name.Text("/stat");
  char text[512];
  const long got = raw::ReadFile(path, text, sizeof text);
  if (got <= 0) return 0;
  // pid (comm) state ppid …: comm may hold anything, so the last ')' ends it.
  long open = 0;
  while (open < got && text[open] != '(') ++open;
  long close = got - 1;
  while (close > open && text[close] != ')') --close;
  if (comm != nullptr) CopyComm(text, open, close, comm);
  // Field 3 follows the ')'; the start time is field 22.
  std::uint64_t ticks = 0;
  int field = 2;
  for (long i = close + 1; i < got && field <= 22; ++i) {
    if (text[i] == ' ') {
      ++field;
    } else if (field == 22 && text[i] >= '0' && text[i] <= '9') {
      ticks = ticks * 10 + static_cast<std::uint64_t>(text[i] - '0');
    }
  }
  return ticks;
}

long SeccompFilters() {
  // Too large for a fiber's stack. Read by one thread at a time.
  static char text[4096];
  if (raw::ReadFile("/proc/thread-self/status", text, sizeof text) <= 0) {
    return -1;
  }
  constexpr char kName[] = "\nSeccomp_filters:\t";
  for (const char* at = text; *at != '\0'; ++at) {
    std::size_t same = 0;
    while (kName[same] != '\0' && at[same] == kName[same]) ++same;
    if (kName[same] != '\0') continue;
    long filters = 0;
    for (const char* c = at + same; *c >= '0' && *c <= '9'; ++c) {
      filters = filters * 10 + (*c - '0');
    }
    return filters;
  }
  return -1;
}

std::uint64_t AnonymousResidentBytes() {
  // "size resident shared …", in pages.
  constexpr std::uint64_t kPageBytes = 4096;
  char text[128];
  const long got = raw::ReadFile("/proc/self/statm", text, sizeof text);
  std::uint64_t fields[3] = {};
  int field = 0;
  for (long i = 0; i < got && field < 3; ++i) {
    if (text[i] == ' ') {
      ++field;
    } else if (text[i] >= '0' && text[i] <= '9') {
      fields[field] =
          fields[field] * 10 + static_cast<std::uint64_t>(text[i] - '0');
    }
  }
  const std::uint64_t resident = fields[1];
  const std::uint64_t shared = fields[2];
  return resident > shared ? (resident - shared) * kPageBytes : 0;
}

}  // namespace heapledger::preload
