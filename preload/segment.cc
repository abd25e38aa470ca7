// SPDX-License-Identifier: Apache-2.0
#include "preload/segment.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "heapledger/ledger/name.h"
#include "preload/housekeeping.h"
#include "preload/proc_facts.h"
#include "preload/raw_io.h"

#ifndef HEAPLEDGER_VERSION
#error "HEAPLEDGER_VERSION comes from the build"
#endif

namespace heapledger::preload {
namespace {

using ledger::Header;
using ledger::NameBuilder;
using ledger::OffReason;

constexpr long kErrnoExists = -17;
// Below this much room in a directory's file system the next one is tried.
constexpr std::uint64_t kComfortableBytes = 4ULL << 20;
// Address space that we may need beside the ledger: the directory of the object
// map, the tables, and leaves for an eighth of the heap. Under a finite
// RLIMIT_AS we take part in the program's own budget, so only a large one will
// do.
constexpr std::uint64_t kAddressSpaceNeeded = 1ULL << 30;

long Path(const char* text) { return reinterpret_cast<long>(text); }

// A directory that may hold ledgers, with the room that it offers.
struct Place {
  char path[Config::kDirectoryBytes + 32] = {};
  std::uint64_t room_bytes = 0;
};

bool OwnPrivateDirectory(const char* path, std::uint32_t uid) {
  struct stat facts {};
  if (raw::Call(SYS_newfstatat, AT_FDCWD, Path(path),
                reinterpret_cast<long>(&facts), AT_SYMLINK_NOFOLLOW) != 0) {
    return false;
  }
  return S_ISDIR(facts.st_mode) && facts.st_uid == uid &&
         (facts.st_mode & 022) == 0;
}

std::uint64_t RoomIn(const char* path) {
  struct statfs facts {};
  if (raw::Call(SYS_statfs, Path(path), reinterpret_cast<long>(&facts)) != 0) {
    return 0;
  }
  return static_cast<std::uint64_t>(facts.f_bavail) *
         static_cast<std::uint64_t>(facts.f_bsize);
}

bool TryPlace(const char* path, std::uint32_t uid, Place* place) {
  const long made = raw::Call(SYS_mkdirat, AT_FDCWD, Path(path), 0700);
  if (made != 0 && made != kErrnoExists) return false;
  if (!OwnPrivateDirectory(path, uid)) return false;
  NameBuilder(place->path, sizeof place->path).Text(path);
  place->room_bytes = RoomIn(path);
  return place->room_bytes > 0;
}

// The directories to try, best first. Returns how many there are.
int FindPlaces(const Config& config, std::uint32_t uid, Place (&places)[2]) {
  if (config.directory[0] != '\0') {
    return TryPlace(config.directory, uid, &places[0]) ? 1 : 0;
  }
  char path[64];
  int count = 0;
  NameBuilder(path, sizeof path).Text(ledger::kPrimaryDirectory).Number(uid);
  if (TryPlace(path, uid, &places[count])) ++count;
  NameBuilder(path, sizeof path).Text(ledger::kFallbackDirectory).Number(uid);
  if (count == 1 && places[0].room_bytes >= kComfortableBytes) return 1;
  if (TryPlace(path, uid, &places[count])) ++count;
  if (count == 2 && places[1].room_bytes > places[0].room_bytes) {
    const Place better = places[1];
    places[1] = places[0];
    places[0] = better;
  }
  return count;
}

std::uint64_t Limit(int resource) {
  struct rlimit64 limit {};
  if (raw::Call(SYS_prlimit64, 0, resource, 0,
                reinterpret_cast<long>(&limit)) != 0) {
    return ~0ULL;
  }
  return limit.rlim_cur;
}

// How large the file may become: at most a quarter of the room there is, so
// that the program and its neighbours keep theirs.
std::uint64_t CapFor(const Config& config, std::uint64_t room_bytes) {
  std::uint64_t cap = config.cap_bytes;
  if (cap > room_bytes / 4) cap = room_bytes / 4;
  const std::uint64_t file_limit = Limit(RLIMIT_FSIZE);
  if (cap > file_limit) cap = file_limit;
  return cap / ledger::kPageBytes * ledger::kPageBytes;
}

// Smallest file that can hold the fixed pages and the first chunk of each
// table.
constexpr std::uint64_t kSmallestCap =
    (ledger::kFirstDataPage + 32) * std::uint64_t{ledger::kPageBytes};

void LedgerPath(const Place& place, const Identity& identity,
                const char* suffix, char* out, std::size_t capacity) {
  NameBuilder(out, capacity)
      .Text(place.path)
      .Text("/")
      .Number(identity.pid)
      .Text("-")
      .Number(identity.start_time_ticks)
      .Text(suffix);
}

// The same process had another image before: its ledger is closed and moved
// aside. Returns the number of the image that begins now.
std::uint32_t CloseReplacedImage(const Place& place, const Identity& identity,
                                 const char* path) {
  const int file = raw::Open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return 0;
  std::uint32_t image = 0;
  raw::Call(SYS_pread64, file, reinterpret_cast<long>(&image), sizeof image,
            offsetof(Header, image));
  auto state = static_cast<std::uint32_t>(ledger::State::kReplaced);
  raw::Call(SYS_pwrite64, file, reinterpret_cast<long>(&state), sizeof state,
            offsetof(Header, state));
  raw::Close(file);
  char aside[sizeof place.path + ledger::kNameBytes];
  char suffix[32];
  NameBuilder(suffix, sizeof suffix)
      .Text(".")
      .Number(image)
      .Text(ledger::kLedgerSuffix);
  LedgerPath(place, identity, suffix, aside, sizeof aside);
  raw::Call(SYS_renameat, AT_FDCWD, Path(path), AT_FDCWD, Path(aside));
  return image + 1;
}

int CreateFile(const Place& place, const Identity& identity, char* path,
               std::size_t capacity, std::uint32_t* image) {
  LedgerPath(place, identity, ledger::kLedgerSuffix, path, capacity);
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  int file = raw::Open(path, kFlags, 0600);
  if (file == kErrnoExists) {
    *image = CloseReplacedImage(place, identity, path);
    file = raw::Open(path, kFlags, 0600);
  }
  return file;
}

OffReason MapFile(int file, std::uint64_t cap, Segment* segment) {
  if (!raw::Truncate(file, cap)) return OffReason::kLedgerSpace;
  void* const at = raw::MapShared(file, cap);
  if (at == nullptr) return OffReason::kAddressSpace;
  // The fixed pages and the first page of the extent directory.
  if (!raw::Populate(
          at, std::size_t{ledger::kExtentPage + 1} * ledger::kPageBytes)) {
    raw::Unmap(at, cap);
    return OffReason::kLedgerSpace;
  }
  segment->base = static_cast<std::byte*>(at);
  segment->cap_bytes = cap;
  return OffReason::kNone;
}

void CopyText(const char* text, char* out, std::size_t capacity) {
  NameBuilder(out, capacity).Text(text);
}

void WriteHeader(const Config& config, const Identity& identity,
                 std::uint32_t image, Segment* segment) {
  auto& header = *reinterpret_cast<Header*>(segment->base);
  header.abi_version = ledger::kAbiVersion;
  header.header_bytes = sizeof(Header);
  header.cap_bytes = segment->cap_bytes;
  header.pid = identity.pid;
  header.uid = identity.uid;
  header.start_time_ticks = identity.start_time_ticks;
  header.pid_namespace = PidNamespace();
  header.parent_pid = identity.parent_pid;
  header.parent_start_time_ticks = identity.parent_start_time_ticks;
  header.image = image;
  header.created_realtime_ns = raw::RealtimeNs();
  header.created_monotonic_ns = raw::MonotonicNs();
  long got = raw::ReadFile("/proc/sys/kernel/random/boot_id", header.boot_id,
                           sizeof header.boot_id);
  if (got > 0 && header.boot_id[got - 1] == '\n') {
    header.boot_id[got - 1] = '\0';
  }
  CopyText(HEAPLEDGER_VERSION, header.shim_version, sizeof header.shim_version);
  CopyText(identity.comm, header.comm, sizeof header.comm);
  raw::ReadLink("/proc/self/exe", header.exe, sizeof header.exe);
  header.mode.store(static_cast<std::uint32_t>(config.mode),
                    std::memory_order_relaxed);
  header.stack_mode.store(static_cast<std::uint32_t>(config.stack_mode),
                          std::memory_order_relaxed);
  header.max_depth = config.max_depth;
  header.sample_bytes = config.SampleMean();
  if (config.stack_mode == ledger::StackMode::kAdaptive) {
    header.budget_percent = config.budget_percent;
  }
}

// A directory without room still takes a symbolic link, and none is needed to
// try.
void OffMarkerPath(const Config& config, const Identity& identity, char* out,
                   std::size_t capacity) {
  Place places[2];
  if (FindPlaces(config, identity.uid, places) == 0) {
    NameBuilder place(places[0].path, sizeof places[0].path);
    if (config.directory[0] != '\0') {
      place.Text(config.directory);
    } else {
      place.Text(ledger::kPrimaryDirectory).Number(identity.uid);
    }
  }
  LedgerPath(places[0], identity, ledger::kOffSuffix, out, capacity);
}

Segment CreateIn(const Place& place, const Config& config,
                 const Identity& identity) {
  Segment segment;
  const std::uint64_t cap = CapFor(config, place.room_bytes);
  if (cap < kSmallestCap) {
    segment.off = Limit(RLIMIT_FSIZE) < kSmallestCap ? OffReason::kFileSizeLimit
                                                     : OffReason::kLedgerSpace;
    return segment;
  }
  std::uint32_t image = 0;
  const int file =
      CreateFile(place, identity, segment.path, sizeof segment.path, &image);
  if (file < 0) {
    segment.off = OffReason::kLedgerFileRefused;
    return segment;
  }
  segment.off = MapFile(file, cap, &segment);
  raw::Close(file);
  if (segment.off != OffReason::kNone) {
    raw::Call(SYS_unlinkat, AT_FDCWD, Path(segment.path), 0);
    return segment;
  }
  WriteHeader(config, identity, image, &segment);
  return segment;
}

}  // namespace

void Identity::Read() {
  pid = raw::Pid();
  uid = raw::EffectiveUid();
  start_time_ticks = StartTimeTicks(0, comm);
}

Segment CreateSegment(const Config& config, const Identity& identity) {
  Segment segment;
  if (Limit(RLIMIT_AS) < kAddressSpaceNeeded) {
    segment.off = OffReason::kAddressSpace;
    return segment;
  }
  Place places[2];
  const int count = FindPlaces(config, identity.uid, places);
  segment.off = OffReason::kNoLedgerDirectory;
  for (int i = 0; i < count; ++i) {
    TidyDirectory(places[i].path);
    segment = CreateIn(places[i], config, identity);
    if (segment.off == OffReason::kNone) break;
  }
  return segment;
}

void DropSegment(Segment* segment) {
  raw::Unmap(segment->base, segment->cap_bytes);
  raw::Call(SYS_unlinkat, AT_FDCWD, Path(segment->path), 0);
  segment->base = nullptr;
}

void PublishSegment(const Segment& segment) {
  auto& header = *reinterpret_cast<Header*>(segment.base);
  SetState(header, ledger::State::kLive);
  // Release: pairs with the acquire of a reader that checks the magic first.
  header.magic.store(ledger::kMagic, std::memory_order_release);
}

void LeaveOffMarker(const Config& config, const Identity& identity,
                    OffReason reason) {
  char path[sizeof(Place::path) + ledger::kNameBytes];
  char text[16];
  OffMarkerPath(config, identity, path, sizeof path);
  NameBuilder(text, sizeof text).Number(static_cast<std::uint32_t>(reason));
  raw::Call(SYS_symlinkat, Path(text), AT_FDCWD, Path(path));
}

void RemoveOffMarker(const Config& config, const Identity& identity) {
  char path[sizeof(Place::path) + ledger::kNameBytes];
  OffMarkerPath(config, identity, path, sizeof path);
  raw::Call(SYS_unlinkat, AT_FDCWD, Path(path), 0);
}

void SetState(Header& header, ledger::State state) {
  header.state_changed_realtime_ns.store(raw::RealtimeNs(),
                                         std::memory_order_relaxed);
  header.state.store(static_cast<std::uint32_t>(state),
                     std::memory_order_release);
}

}  // namespace heapledger::preload
