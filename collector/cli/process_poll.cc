// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/process_poll.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {

void ProcessPoll::Look() { LookBelow(static_cast<std::uint32_t>(getpid())); }

void ProcessPoll::LookBelow(std::uint32_t pid) {
  std::error_code gone;
  const std::string process = absl::StrCat("/proc/", pid);
  for (std::filesystem::directory_iterator task(process + "/task", gone), end;
       !gone && task != end; task.increment(gone)) {
    std::ifstream children(task->path() / "children");
    for (std::uint32_t child = 0; children >> child;) {
      const std::string program =
          std::filesystem::read_symlink(absl::StrCat("/proc/", child, "/exe"),
                                        gone)
              .string();
      // A fork of ours that has not become the program yet is no image.
      if (!program.empty()) {
        Seen& seen = seen_[{child, program}];
        ++seen.looks;
        if (!seen.has_shim) seen.has_shim = MapsShim("/proc", child);
      }
      LookBelow(child);
    }
    gone.clear();
  }
}

std::vector<SeenImage> ProcessPoll::WithoutShim() const {
  std::vector<SeenImage> images;
  for (const auto& [key, seen] : seen_) {
    if (seen.looks < 2 || seen.has_shim) continue;
    images.push_back({key.first, 0, key.second, ""});
  }
  return images;
}

}  // namespace heapledger::collector::cli
