// SPDX-License-Identifier: Apache-2.0
#include "collector/python/locate.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "symbolizer/dynamic_symbols.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/live_process.h"

namespace heapledger::collector::python {
namespace {

// As much of /proc/PID/maps as is read: programs with more mappings have the
// executable and its libraries at the ends, but then nobody can tell.
constexpr std::size_t kMostMaps = 8 << 20;

std::string_view LastPart(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool IsLibrary(std::string_view path) {
  constexpr std::string_view kPrefix = "libpython3.";
  const std::string_view name = LastPart(path);
  // libpython3.so itself only leads to the one with the code.
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name[kPrefix.size()] >= '0' && name[kPrefix.size()] <= '9';
}

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t offset = 0;
  std::string_view path;
};

std::optional<std::uint64_t> Hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// "55d0-55d8 r--p 00000000 08:01 1234      /usr/bin/python3.11"
std::optional<Mapping> ParseMapping(std::string_view line) {
  const std::size_t dash = line.find('-');
  const std::size_t slash = line.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos) {
    return std::nullopt;
  }
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < slash && words.size() < 3;) {
    const std::size_t space = std::min(line.find(' ', at), slash);
    words.push_back(line.substr(at, space - at));
    at = space + 1;
  }
  if (words.size() < 3 || dash >= words[0].size()) return std::nullopt;
  const auto start = Hex(words[0].substr(0, dash));
  const auto offset = Hex(words[2]);
  if (!start || !offset) return std::nullopt;
  return Mapping{*start, *offset, line.substr(slash)};
}

absl::StatusOr<std::string> ReadMaps(std::uint32_t pid) {
  errno = 0;
  std::ifstream file(absl::StrCat("/proc/", pid, "/maps"));
  if (!file && (errno == EACCES || errno == EPERM)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "look for CPython in pid ", pid,
        ": the kernel refuses; run the collector as the program's user, or "
        "with CAP_SYS_PTRACE"));
  }
  std::string text;
  char buffer[65536];
  while (text.size() < kMostMaps &&
         (file.read(buffer, sizeof buffer), file.gcount() > 0)) {
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
  }
  return text;
}

}  // namespace

std::optional<Candidate> FindCandidate(std::string_view maps,
                                       std::string_view exe) {
  std::optional<Candidate> executable;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    const auto mapping = ParseMapping(maps.substr(0, end));
    maps.remove_prefix(std::min(end + 1, maps.size()));
    if (!mapping || mapping->offset != 0) continue;
    if (IsLibrary(mapping->path)) {
      return Candidate{std::string(mapping->path), mapping->start};
    }
    if (!executable && mapping->path == exe) {
      executable = Candidate{std::string(exe), mapping->start};
    }
  }
  return executable;
}

PythonVersion VersionInName(std::string_view path) {
  const std::string_view name = LastPart(path);
  const std::size_t at = name.find("python3.");
  if (at == std::string_view::npos) return {};
  PythonVersion version;
  const std::string_view rest = name.substr(at + 8);
  const auto [end, error] = std::from_chars(
      rest.data(), rest.data() + std::min<std::size_t>(rest.size(), 3),
      version.minor);
  if (error != std::errc()) return {};
  version.major = 3;
  return version;
}

absl::StatusOr<Location> Locate(std::uint32_t pid) {
  const symbolizer::LiveProcess process(pid);
  const auto maps = ReadMaps(pid);
  if (!maps.ok()) return maps.status();
  const auto candidate = FindCandidate(*maps, process.exe());
  const auto none = [pid](std::string_view why) {
    return absl::NotFoundError(
        absl::StrCat("look for CPython in pid ", pid, ": ",
                     absl::string_view(why.data(), why.size())));
  };
  if (!candidate) return none("neither its executable nor a library has it");
  const auto file = symbolizer::ElfFile::Open(process.root(), candidate->path);
  if (!file.ok()) return none(std::string(file.status().message()));
  const auto symbols =
      symbolizer::FindDynamicSymbols(*file, {"_PyRuntime", "Py_Version"});
  if (!symbols.values[0]) return none("no file of it has _PyRuntime");
  const std::uint64_t bias = candidate->start - symbols.first_address;
  Location location;
  location.runtime = bias + *symbols.values[0];
  if (symbols.values[1]) location.version_word = bias + *symbols.values[1];
  location.named_version = VersionInName(candidate->path);
  return location;
}

}  // namespace heapledger::collector::python
