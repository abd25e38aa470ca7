// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/debuginfod.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "symbolizer/debug_paths.h"

namespace heapledger::symbolizer {
namespace {

// As in elfutils/debuginfod.h, which need not be installed (version 0.188).
using Begin = void* (*)();
using FindDebuginfo = int (*)(void* client, const unsigned char* build_id,
                              int build_id_size, char** path);
using End = void (*)(void* client);

constexpr char kLibrary[] = "libdebuginfod.so.1";

struct FreeDeleter {
  void operator()(char* p) const { std::free(p); }
};

}  // namespace

Debuginfod::~Debuginfod() {
  if (client_ == nullptr) return;
  reinterpret_cast<End>(dlsym(library_, "debuginfod_end"))(client_);
  // The library stays: the HTTP client below it does not like to be unloaded.
}

absl::Status Debuginfod::Load() {
  if (client_ != nullptr) return absl::OkStatus();
  const char* const urls = std::getenv("DEBUGINFOD_URLS");
  if (urls == nullptr || *urls == '\0') {
    return absl::FailedPreconditionError(
        "ask debuginfod: DEBUGINFOD_URLS names no server");
  }
  library_ = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library_ == nullptr) {
    return absl::UnavailableError(std::string("ask debuginfod: ") + kLibrary +
                                  " cannot be loaded; install libdebuginfod1");
  }
  const auto begin =
      reinterpret_cast<Begin>(dlsym(library_, "debuginfod_begin"));
  const bool complete =
      begin != nullptr &&
      dlsym(library_, "debuginfod_find_debuginfo") != nullptr &&
      dlsym(library_, "debuginfod_end") != nullptr;
  client_ = complete ? begin() : nullptr;
  if (client_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(std::string("ask debuginfod: ") + kLibrary +
                                " does not work");
}

absl::StatusOr<std::string> Debuginfod::FindDebugFile(
    std::string_view build_id) {
  // It becomes a part of URLs and of file names.
  if (!IsBuildId(build_id)) {
    return absl::InvalidArgumentError("ask debuginfod: no build id");
  }
  if (absl::Status loaded = Load(); !loaded.ok()) return loaded;
  const auto find = reinterpret_cast<FindDebuginfo>(
      dlsym(library_, "debuginfod_find_debuginfo"));
  const std::string id(build_id);
  char* raw_path = nullptr;
  const int descriptor =
      find(client_, reinterpret_cast<const unsigned char*>(id.c_str()),
           0 /* it is hex */, &raw_path);
  const std::unique_ptr<char, FreeDeleter> path(raw_path);
  if (descriptor < 0) {
    return absl::ErrnoToStatus(-descriptor, "ask debuginfod for " + id);
  }
  close(descriptor);
  return path == nullptr ? "" : std::string(path.get());
}

}  // namespace heapledger::symbolizer
