// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/jit_code.h"

#include <utility>

#include "symbolizer/live_process.h"
#include "symbolizer/regular_file.h"

namespace heapledger::symbolizer {
namespace {

absl::StatusOr<RegularFile> OpenOwned(const std::string& root,
                                      const std::string& path,
                                      const JitProcess& process) {
  absl::StatusOr<RegularFile> file = RegularFile::Open(root, path);
  if (!file.ok() || !process.uid) return file;
  if (file->owner() == *process.uid || file->owner() == 0) return file;
  return absl::PermissionDeniedError(
      "open " + root + path + ": belongs to another user than the program");
}

absl::StatusOr<PerfMap> LoadPerfMap(const std::string& root,
                                    const JitProcess& process) {
  auto file = OpenOwned(root, PerfMap::PathForPid(process.pid), process);
  if (!file.ok()) return file.status();
  return PerfMap::Read(*file);
}

absl::StatusOr<JitDump> ReadDump(const std::string& root,
                                 const std::string& path,
                                 const JitProcess& process) {
  const auto file = OpenOwned(root, path, process);
  if (!file.ok()) return file.status();
  absl::StatusOr<JitDump> dump = JitDump::Read(*file);
  if (dump.ok() && dump->pid() != process.pid) {
    return absl::NotFoundError("open " + root + path +
                               ": written by another process");
  }
  return dump;
}

absl::StatusOr<JitDump> LoadDump(const std::string& root,
                                 const JitProcess& process) {
  const std::string name = JitDump::FileName(process.pid);
  std::vector<std::string> paths;
  if (process.live_pid > 0) {
    const LiveProcess live(process.live_pid);
    // perf's agents map their file so that perf comes to know of it.
    const std::string mapped = live.MappedPathOf(name);
    if (!mapped.empty()) paths.push_back(mapped);
    const std::string directory = live.working_directory();
    if (!directory.empty()) paths.push_back(directory + "/" + name);
  }
  for (const std::string& directory : process.directories) {
    paths.push_back(directory + "/" + name);
  }
  absl::StatusOr<JitDump> dump = absl::NotFoundError("open " + name);
  for (const std::string& path : paths) {
    dump = ReadDump(root, path, process);
    if (dump.ok()) return dump;
  }
  return dump;
}

}  // namespace

absl::Status JitCode::Load(const std::string& root, const JitProcess& process) {
  const std::string live_root =
      process.live_pid > 0 ? LiveProcess(process.live_pid).root() : root;
  absl::StatusOr<PerfMap> map = LoadPerfMap(live_root, process);
  absl::StatusOr<JitDump> dump = LoadDump(live_root, process);
  if (!map.ok() && !dump.ok()) return map.status();
  perf_map_ = map.ok() ? *std::move(map) : PerfMap();
  dump_.reset();
  if (dump.ok()) dump_ = *std::move(dump);
  return absl::OkStatus();
}

bool JitCode::Find(std::uint64_t address, Frame& frame) const {
  frame.quality = Quality::kJit;
  if (dump_) {
    if (const auto place = dump_->Find(address)) {
      frame.function = place->function;
      frame.file = place->file;
      frame.line = place->line;
    }
  }
  if (frame.function.empty()) frame.function = perf_map_.Find(address);
  return !frame.function.empty();
}

}  // namespace heapledger::symbolizer
