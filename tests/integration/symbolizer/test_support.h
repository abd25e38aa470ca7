// SPDX-License-Identifier: Apache-2.0
// What the symbolizer's integration tests share: fixtures, their output, the
// output of other programs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "symbolizer/symbolizer.h"

namespace heapledger::symbolizer {

// Path of a fixture that CMake has built.
std::string FixturePath(const std::string& name);

// What `command` writes to stdout; fails the test if it cannot be run.
std::string OutputOf(const std::string& command);

std::vector<std::string> SplitLines(const std::string& text);

// A fixture that ran: where it was loaded, where its markers are.
struct FixtureRun {
  ModuleRef module;
  std::map<std::string, std::uint64_t> markers;  // return addresses
};
FixtureRun RunFixture(const std::string& name,
                      const std::string& arguments = "");

// Line of the comment "at: TAG" in a fixture's source.
std::uint32_t LineOf(const std::string& source, const std::string& tag);

// The file in the binary form it has on disk.
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);

// A directory that goes away with the test.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace heapledger::symbolizer
