// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/file_source.h"

#include <glob.h>
#include <sys/stat.h>

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/logs/followed_file.h"

namespace heapledger::collector::logs {
namespace {

std::vector<std::string> Matching(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found = {};
  // A path without signs is one that may come later.
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  return paths;
}

class FileSource final : public LogSource {
 public:
  FileSource(const std::string& pattern, const FileSourceOptions& options)
      : pattern_(pattern), options_(options) {
    state_.name = pattern;
    Look(options.from);
  }

  bool Poll(std::size_t budget_bytes, const LineSink& sink) override {
    Look(ReadFrom::kStart);
    bool more = false;
    for (auto entry = files_.begin(); entry != files_.end();) {
      Entry& known = entry->second;
      const std::size_t taken = known.file->Read(budget_bytes, sink);
      if (taken >= budget_bytes) more = true;
      if (!known.named && taken == 0 && known.file->idle() > options_.linger) {
        known.file->Finish(sink);
        ended_lines_ += known.file->lines();
        ended_cut_ += known.file->cut_lines();
        entry = files_.erase(entry);
      } else {
        ++entry;
      }
    }
    return more;
  }

  SourceState state() const override {
    SourceState state = state_;
    state.lines = ended_lines_;
    state.cut = ended_cut_;
    for (const auto& [id, known] : files_) {
      state.lines += known.file->lines();
      state.cut += known.file->cut_lines();
    }
    return state;
  }

 private:
  struct Entry {
    std::unique_ptr<FollowedFile> file;
    bool named = true;  // the pattern still finds it
  };

  void Look(ReadFrom from) {
    for (auto& [id, known] : files_) known.named = false;
    std::string problem;
    for (const std::string& path : Matching(pattern_)) {
      struct stat facts = {};
      if (stat(path.c_str(), &facts) != 0) continue;  // gone since
      const auto known = files_.find({facts.st_dev, facts.st_ino});
      if (known != files_.end()) {
        known->second.named = true;
        continue;
      }
      if (files_.size() >= options_.max_files) {
        problem =
            absl::StrCat("more than ", options_.max_files, " files match ",
                         pattern_, ", and the others are not followed");
        continue;
      }
      auto file = FollowedFile::Open(path, from);
      if (!file.ok()) {
        problem = std::string(file.status().message());
        continue;
      }
      const FileId id = (*file)->id();
      files_.try_emplace(id, Entry{*std::move(file)});
    }
    state_.readable = !files_.empty();
    state_.problem = std::move(problem);
    if (files_.empty() && state_.problem.empty()) {
      state_.problem =
          absl::StrCat("no file is there that ", pattern_, " names");
    }
  }

  const std::string pattern_;
  const FileSourceOptions options_;
  SourceState state_;
  std::map<FileId, Entry> files_;
  std::uint64_t ended_lines_ = 0;
  std::uint64_t ended_cut_ = 0;
};

}  // namespace

std::unique_ptr<LogSource> MakeFileSource(const std::string& pattern,
                                          const FileSourceOptions& options) {
  return std::make_unique<FileSource>(pattern, options);
}

}  // namespace heapledger::collector::logs
