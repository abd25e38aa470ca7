// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/module.h"

#include <utility>

#include "absl/status/status.h"
#include "symbolizer/demangle.h"
#include "symbolizer/elf_symbols.h"
#include "symbolizer/live_process.h"
#include "symbolizer/own_file.h"

namespace heapledger::symbolizer {
namespace {

// "[vdso]", "linux-vdso.so.1": mapped by the kernel out of itself.
bool IsKernelMapping(std::string_view path) {
  return path.starts_with('[') || path.starts_with("linux-vdso") ||
         path.starts_with("linux-gate");
}

}  // namespace

Module::Module(const ModuleRef& ref, const Options& options,
               Debuginfod* debuginfod)
    : finder_(options.root, options.debug_directories),
      debuginfod_(debuginfod),
      build_id_(ref.build_id) {
  if (IsKernelMapping(ref.path)) {
    Degrade(Reason::kNotAFile, ref.path + " lies in no file");
    read_ = true;
    return;
  }
  OpenOwnFile(ref, options);
  OpenDebugFile(ref);
}

void Module::Degrade(Reason reason, std::string detail) {
  reason_ = reason;
  detail_ = std::move(detail);
}

void Module::OpenOwnFile(const ModuleRef& ref, const Options& options) {
  absl::StatusOr<ElfFile> file = OwnFile::Open(ref, options.root);
  if (file.ok()) {
    file_ = *std::move(file);
    build_id_ = file_->build_id();
    return;
  }
  Reason reason = Reason::kFileNotFound;
  if (absl::IsDataLoss(file.status())) reason = Reason::kDamaged;
  if (absl::IsFailedPrecondition(file.status())) {
    reason = Reason::kBuildIdMismatch;
  }
  Degrade(reason, std::string(file.status().message()));
}

void Module::OpenDebugFile(const ModuleRef& ref) {
  if (file_ && file_->has_debug_info()) return;
  // A container's debug files lie in the container, if it has any.
  if (ref.live_pid > 0) finder_.AddRoot(LiveProcess(ref.live_pid).root());
  debug_file_ = finder_.ByBuildId(build_id_);
  if (!debug_file_ && file_) debug_file_ = finder_.ByDebugLink(*file_);
}

const ElfFile* Module::DebugSource() const {
  if (debug_file_ && debug_file_->has_debug_info()) return &*debug_file_;
  if (file_ && file_->has_debug_info()) return &*file_;
  return nullptr;
}

std::string Module::identity() const {
  if (incomplete_ || (!file_ && !debug_file_)) return "";
  std::string text = build_id_;
  if (build_id_.empty()) text = file_ ? file_->path_in_root() : "";
  for (const std::optional<ElfFile>* file : {&file_, &debug_file_}) {
    text += '\n';
    // Built again or installed anew: perhaps with other names.
    if (*file) text += (*file)->file().identity();
  }
  if (debuginfod_ != nullptr && DebugSource() == nullptr)
    text += "\ndebuginfod";
  return text;
}

void Module::Read() {
  read_ = true;
  if (DebugSource() == nullptr && debuginfod_ != nullptr) AskDebuginfod();
  ReadDebugInfo();
  ReadSymbols();
}

void Module::AskDebuginfod() {
  if (build_id_.empty()) return;
  const absl::StatusOr<std::string> path =
      debuginfod_->FindDebugFile(build_id_);
  if (path.ok()) {
    absl::StatusOr<ElfFile> file = ElfFile::Open("", *path);
    if (file.ok() && file->build_id() == build_id_) {
      debug_file_ = *std::move(file);
      return;
    }
  }
  // Perhaps the server knows it tomorrow.
  incomplete_ = true;
  if (reason_ == Reason::kNone) {
    Degrade(Reason::kNoDebugInfo,
            path.ok()
                ? *path + " is not the debug file of build id " + build_id_
                : std::string(path.status().message()));
  }
}

void Module::ReadDebugInfo() {
  const ElfFile* const source = DebugSource();
  if (source == nullptr) {
    if (reason_ == Reason::kNone) {
      Degrade(Reason::kNoDebugInfo,
              file_->path() +
                  " has no debug information, and none was found for build "
                  "id " +
                  (build_id_.empty() ? "(none)" : build_id_));
    }
    return;
  }
  auto info =
      DebugInfo::Open(*source, finder_,
                      file_ && source != &*file_ ? file_->path_in_root() : "");
  if (!info.ok()) {
    incomplete_ = true;
    Degrade(Reason::kDamaged, std::string(info.status().message()));
    return;
  }
  debug_info_ = *std::move(info);
  debug_file_path_ = source->path();
  Degrade(Reason::kNone, "");
}

void Module::ReadSymbols() {
  std::vector<Symbol> symbols;
  if (file_) AppendSymbols(file_->elf(), symbols);
  if (debug_file_) AppendSymbols(debug_file_->elf(), symbols);
  if (file_ && file_->has_mini_debug_info()) {
    auto mini = MiniDebugInfo::Read(*file_);
    if (mini.ok()) {
      mini_debug_info_ = *std::move(mini);
      mini_debug_info_->AppendTo(symbols);
    }
  }
  symbols_ = SymbolTable(std::move(symbols));
  if (reason_ == Reason::kNoDebugInfo && symbols_.empty()) {
    reason_ = Reason::kNoSymbols;
    detail_ = file_->path() + " has neither debug information nor symbols";
  }
}

std::vector<Frame> Module::Resolve(std::uint64_t address) {
  if (!read_) Read();
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
