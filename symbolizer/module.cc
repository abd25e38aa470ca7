// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/module.h"

#include <utility>

#include "absl/status/status.h"
#include "symbolizer/debug_paths.h"
#include "symbolizer/demangle.h"

namespace heapledger::symbolizer {
namespace {

// "[vdso]", "linux-vdso.so.1": mapped by the kernel out of itself.
bool IsKernelMapping(std::string_view path) {
  return path.starts_with('[') || path.starts_with("linux-vdso") ||
         path.starts_with("linux-gate");
}

}  // namespace

Module::Module(const ModuleRef& ref, const Options& options) {
  if (IsKernelMapping(ref.path)) {
    Degrade(Reason::kNotAFile, ref.path + " lies in no file");
    return;
  }
  const DebugFileFinder finder(options.root, options.debug_directories);
  OpenOwnFile(ref, options);
  OpenDebugFile(ref, finder);
  OpenDebugInfo(finder);
  ReadSymbols();
}

void Module::Degrade(Reason reason, std::string detail) {
  reason_ = reason;
  detail_ = std::move(detail);
}

void Module::OpenOwnFile(const ModuleRef& ref, const Options& options) {
  absl::StatusOr<ElfFile> file = ElfFile::Open(options.root, ref.path);
  const bool is_deleted = !file.ok() && IsDeletedPath(ref.path);
  if (is_deleted) {
    // Perhaps a new file has taken the old one's place; with the same build
    // id it is the same program.
    file = ElfFile::Open(options.root, StripDeleted(ref.path));
  }
  if (!file.ok()) {
    Degrade(absl::IsDataLoss(file.status()) ? Reason::kDamaged
                                            : Reason::kFileNotFound,
            std::string(file.status().message()));
  } else if (ref.build_id.empty() && is_deleted) {
    Degrade(Reason::kFileNotFound,
            ref.path +
                " was deleted, and it has no build id to tell whether "
                "the file now there is the same");
  } else if (!ref.build_id.empty() && file->build_id() != ref.build_id) {
    const std::string found =
        file->build_id().empty() ? "none" : file->build_id();
    Degrade(Reason::kBuildIdMismatch, file->path() + " has build id " + found +
                                          ", the target loaded " +
                                          ref.build_id);
  } else {
    file_ = *std::move(file);
  }
}

void Module::OpenDebugFile(const ModuleRef& ref,
                           const DebugFileFinder& finder) {
  if (file_ && file_->has_debug_info()) return;
  const std::string& build_id = file_ ? file_->build_id() : ref.build_id;
  debug_file_ = finder.ByBuildId(build_id);
  if (!debug_file_ && file_) debug_file_ = finder.ByDebugLink(*file_);
}

void Module::OpenDebugInfo(const DebugFileFinder& finder) {
  const ElfFile* source = nullptr;
  if (file_ && file_->has_debug_info()) source = &*file_;
  if (debug_file_ && debug_file_->has_debug_info()) source = &*debug_file_;
  if (source == nullptr) {
    if (reason_ == Reason::kNone) {
      Degrade(Reason::kNoDebugInfo,
              file_->path() +
                  " has no debug information, and none was found "
                  "for build id " +
                  (file_->build_id().empty() ? "(none)" : file_->build_id()));
    }
    return;
  }
  auto info = DebugInfo::Open(*source, finder);
  if (!info.ok()) {
    Degrade(Reason::kDamaged, std::string(info.status().message()));
    return;
  }
  debug_info_ = *std::move(info);
  debug_file_path_ = source->path();
  Degrade(Reason::kNone, "");
}

void Module::ReadSymbols() {
  std::vector<Symbol> symbols;
  if (file_) file_->AppendSymbols(symbols);
  if (debug_file_) debug_file_->AppendSymbols(symbols);
  symbols_ = SymbolTable(std::move(symbols));
  if (reason_ == Reason::kNoDebugInfo && symbols_.empty()) {
    reason_ = Reason::kNoSymbols;
    detail_ = file_->path() + " has neither debug information nor symbols";
  }
}

std::vector<Frame> Module::Resolve(std::uint64_t address) {
  std::vector<Frame> frames;
  if (debug_info_) frames = debug_info_->Resolve(address, symbols_);
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    if (frames[i].function.empty()) frames[i].function = "(inlined)";
  }
  if (!frames.empty() && !frames.back().function.empty()) return frames;
  // The outermost function has a symbol, if anything has.
  const Symbol* symbol = symbols_.Find(address);
  if (symbol == nullptr) return frames;
  if (frames.empty()) frames.emplace_back();
  frames.back().function = Demangle(symbol->name);
  frames.back().linkage_name = symbol->name;
  frames.back().quality = Quality::kSymbolTable;
  return frames;
}

}  // namespace heapledger::symbolizer
