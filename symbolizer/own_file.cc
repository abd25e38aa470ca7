// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/own_file.h"

#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "symbolizer/debug_paths.h"
#include "symbolizer/live_process.h"

namespace heapledger::symbolizer {
namespace {

// How far a place vouches for what lies there.
enum class Place {
  kPath,      // the name: another file may have taken it
  kMapping,   // the very file that is mapped, deleted or not
  kReplaced,  // the name of a file that was deleted
};

class Search {
 public:
  explicit Search(const ModuleRef& ref) : ref_(ref) {}

  // Returns whether the file was found; file() is then set.
  bool Try(std::string_view root, std::string_view path, Place place) {
    absl::StatusOr<ElfFile> file = ElfFile::Open(root, path);
    if (!file.ok()) {
      Remember(file.status());
      return false;
    }
    const absl::Status same = IsTheSame(*file, place);
    if (!same.ok()) {
      Remember(same);
      return false;
    }
    file_ = *std::move(file);
    return true;
  }

  absl::StatusOr<ElfFile> Take() {
    if (file_) return *std::move(file_);
    return error_;
  }

 private:
  absl::Status IsTheSame(const ElfFile& file, Place place) const {
    if (!ref_.build_id.empty()) {
      if (file.build_id() == ref_.build_id) return absl::OkStatus();
      return absl::FailedPreconditionError(
          file.path() + " has build id " +
          (file.build_id().empty() ? "none" : file.build_id()) +
          ", the target loaded " + ref_.build_id);
    }
    if (place != Place::kReplaced) return absl::OkStatus();
    return absl::NotFoundError(
        ref_.path +
        " was deleted, and it has no build id to tell whether the file now "
        "there is the same");
  }

  static int Weight(const absl::Status& error) {
    if (absl::IsFailedPrecondition(error)) return 3;
    if (absl::IsDataLoss(error)) return 2;
    return error.ok() ? 0 : 1;
  }

  void Remember(const absl::Status& error) {
    if (Weight(error) >= Weight(error_)) error_ = error;
  }

  const ModuleRef& ref_;
  std::optional<ElfFile> file_;
  absl::Status error_;
};

bool TryLiveProcess(const ModuleRef& ref, Search& search) {
  const LiveProcess process(ref.live_pid);
  if (search.Try(process.root(), ref.path, Place::kPath)) return true;
  // A magic link opens the file itself, even where its name is gone. That it is
  // this module's, only the name or the build id can tell.
  const bool is_program = process.exe() == ref.path;
  if ((is_program || !ref.build_id.empty()) &&
      search.Try("", process.exe_link(), Place::kMapping)) {
    return true;
  }
  const std::string mapping = process.MappedFile(ref.start, ref.end, ref.path);
  return !mapping.empty() && search.Try("", mapping, Place::kMapping);
}

}  // namespace

absl::StatusOr<ElfFile> OwnFile::Open(const ModuleRef& ref,
                                      const std::string& root) {
  Search search(ref);
  if (ref.live_pid > 0 && TryLiveProcess(ref, search)) return search.Take();
  if (search.Try(root, ref.path, Place::kPath)) return search.Take();
  // Perhaps a new file has taken the old one's place; with the same build id
  // it is the same program.
  if (IsDeletedPath(ref.path)) {
    (void)search.Try(root, StripDeleted(ref.path), Place::kReplaced);
  }
  return search.Take();
}

}  // namespace heapledger::symbolizer
