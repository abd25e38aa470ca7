// SPDX-License-Identifier: Apache-2.0
// A tree of small files in place of /proc and /sys.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"

namespace heapledger::testing {

class FakeFiles {
 public:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = directory_.Path(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void Link(const std::string& name, const std::string& target) {
    const std::filesystem::path path = directory_.Path(name);
    std::filesystem::create_directories(path.parent_path());
    std::filesystem::remove(path);
    std::filesystem::create_symlink(target, path);
  }
  void Remove(const std::string& name) {
    std::filesystem::remove_all(directory_.Path(name));
  }
  [[nodiscard]] std::string root() const { return directory_.path(); }

 private:
  TempDirectory directory_;
};

}  // namespace heapledger::testing
