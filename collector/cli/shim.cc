// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/shim.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {

absl::StatusOr<std::string> FindShim() {
  std::error_code error;
  const std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return absl::NotFoundError(
        "cannot tell where heapledger itself lies: /proc is not mounted; "
        "mount it");
  }
  const std::filesystem::path lib = self.parent_path().parent_path() / "lib";
  for (const auto& path :
       {lib / "libheapledger.so", lib / "heapledger" / "libheapledger.so"}) {
    if (std::filesystem::is_regular_file(path, error)) return path.string();
  }
  return absl::NotFoundError(absl::StrCat(
      "libheapledger.so is neither in ", lib.string(), " nor in ",
      (lib / "heapledger").string(), "; build or install it there"));
}

absl::StatusOr<std::string> FindAllocator(const std::string& name) {
  const std::string library = absl::StrCat("lib", name, ".so.2");
  for (const char* directory :
       {"/usr/lib/x86_64-linux-gnu/", "/lib/x86_64-linux-gnu/", "/usr/lib64/",
        "/usr/local/lib/", "/usr/lib/"}) {
    const std::string path = absl::StrCat(directory, library);
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return absl::NotFoundError(absl::StrCat(
      library, " is not installed; on Debian: apt install lib", name, "2"));
}

absl::StatusOr<std::string> PreloadValue(const std::string& shim,
                                         const std::string& allocator,
                                         const std::string& before) {
  // ld.so(8): blanks and colons separate, and nothing quotes them.
  if (shim.find_first_of(" :") != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the path of the shim, ", shim,
        ", holds a blank or a colon, which LD_PRELOAD cannot carry; install "
        "it elsewhere"));
  }
  std::string value = shim;
  if (!allocator.empty()) absl::StrAppend(&value, ":", allocator);
  if (!before.empty()) absl::StrAppend(&value, ":", before);
  return value;
}

}  // namespace heapledger::collector::cli
