// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/name_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "symbolizer/debug_paths.h"
#include "symbolizer/regular_file.h"

namespace heapledger::symbolizer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".names";
constexpr std::string_view kTemporary = ".new-";

// Of one file. A module with a million known addresses has some 64 MiB.
constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

// A writer that died leaves its file behind.
constexpr auto kAbandoned = std::chrono::hours(1);

// FNV-1a: names a file; that it is the right one, its contents say.
std::uint64_t Hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

bool WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// A directory that another may write to could feed us names.
bool IsOurOwn(const std::string& directory) {
  struct stat status {};
  return stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == geteuid() && (status.st_mode & 022) == 0;
}

}  // namespace

NameCache::NameCache(std::string directory, std::uint64_t max_bytes)
    : directory_(std::move(directory)), max_bytes_(max_bytes) {}

std::string NameCache::PathOf(std::string_view build_id,
                              std::string_view identity) const {
  const std::uint64_t hash = Hash(identity);
  const std::string id =
      IsBuildId(build_id) ? std::string(build_id) : "no-build-id";
  return directory_ + "/" + id + "-" + ToHex(&hash, sizeof hash) +
         std::string(kSuffix);
}

std::optional<NameTable> NameCache::Load(std::string_view build_id,
                                         const std::string& identity) const {
  if (!IsOurOwn(directory_)) return std::nullopt;
  const std::string path = PathOf(build_id, identity);
  const auto file = RegularFile::Open("", path);
  if (!file.ok() || file->size() > kMaxFileBytes) return std::nullopt;
  const auto bytes = file->Read(kMaxFileBytes);
  if (!bytes.ok()) return std::nullopt;
  auto table = NameTable::Decode(*bytes);
  if (!table.ok() || table->identity != identity) return std::nullopt;
  // It counts as used: Trim() goes by this time.
  (void)utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return *std::move(table);
}

void NameCache::Store(std::string_view build_id, NameTable table) const {
  std::error_code failed;
  fs::create_directories(fs::path(directory_).parent_path(), failed);
  (void)mkdir(directory_.c_str(), 0700);
  if (!IsOurOwn(directory_)) return;
  if (auto stored = Load(build_id, table.identity)) {
    table.names.merge(stored->names);
  }
  const std::string bytes = table.Encode();
  if (bytes.size() > std::min<std::uint64_t>(kMaxFileBytes, max_bytes_)) return;
  std::string temporary = directory_ + "/" + std::string(kTemporary) + "XXXXXX";
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return;
  const bool written = WriteAll(descriptor, bytes);
  const bool closed = close(descriptor) == 0;
  const std::string path = PathOf(build_id, table.identity);
  if (!written || !closed || rename(temporary.c_str(), path.c_str()) != 0) {
    unlink(temporary.c_str());
    return;
  }
  Trim();
}

void NameCache::Trim() const {
  struct Stored {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<Stored> files;
  std::uint64_t total = 0;
  const auto now = fs::file_time_type::clock::now();
  std::error_code failed;
  // Anything may vanish meanwhile: another process trims too.
  for (fs::directory_iterator it(directory_, failed), end; !failed && it != end;
       it.increment(failed)) {
    const std::string name = it->path().filename().string();
    std::error_code gone;
    const auto used = it->last_write_time(gone);
    const std::uint64_t bytes = gone ? 0 : it->file_size(gone);
    if (gone) continue;
    if (name.starts_with(kTemporary) && now - used > kAbandoned) {
      fs::remove(it->path(), gone);
    } else if (name.ends_with(kSuffix)) {
      files.push_back({used, bytes, it->path()});
      total += bytes;
    }
  }
  std::sort(files.begin(), files.end(),
            [](const Stored& a, const Stored& b) { return a.used < b.used; });
  for (const Stored& file : files) {
    if (total <= max_bytes_) break;
    std::error_code gone;
    fs::remove(file.path, gone);
    total -= file.bytes;
  }
}

}  // namespace heapledger::symbolizer
