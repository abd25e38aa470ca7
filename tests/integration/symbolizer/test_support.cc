// SPDX-License-Identifier: Apache-2.0
#include "test_support.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace heapledger::symbolizer {

std::string FixturePath(const std::string& name) {
  return std::string(FIXTURE_DIR) + "/" + name;
}

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return output;
  }
  char buffer[4096];
  std::size_t n = 0;
  while ((n = fread(buffer, 1, sizeof buffer, pipe)) > 0) {
    output.append(buffer, n);
  }
  pclose(pipe);
  return output;
}

std::vector<std::string> SplitLines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

FixtureRun RunFixture(const std::string& name, const std::string& arguments) {
  FixtureRun run;
  run.module.path = FixturePath(name);
  const std::string command = run.module.path + " " + arguments;
  for (const std::string& line : SplitLines(OutputOf(command))) {
    std::istringstream in(line);
    std::string key;
    std::uint64_t value = 0;
    in >> key >> std::hex >> value;
    (key == "bias" ? run.module.load_bias : run.markers[key]) = value;
  }
  EXPECT_FALSE(run.markers.empty()) << command << " printed no markers";
  return run;
}

std::uint32_t LineOf(const std::string& source, const std::string& tag) {
  std::ifstream in(std::string(FIXTURE_SOURCE_DIR) + "/" + source);
  std::uint32_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::size_t at = line.find("at: " + tag);
    if (at == std::string::npos) continue;
    const std::size_t end = at + 4 + tag.size();
    if (end == line.size() || line[end] == ' ') return number;
  }
  ADD_FAILURE() << "no tag " << tag << " in " << source;
  return 0;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(
      std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

TempDirectory::TempDirectory() {
  std::string name = testing::TempDir() + "symbolizer_XXXXXX";
  path_ = mkdtemp(name.data());
}

TempDirectory::~TempDirectory() { std::filesystem::remove_all(path_); }

}  // namespace heapledger::symbolizer
