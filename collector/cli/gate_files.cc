// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/gate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/elf_facts.h"
#include "collector/cli/shim_environment.h"
#include "collector/ledger/naming.h"

namespace heapledger::collector::cli {
namespace {

namespace fs = std::filesystem;

// Far more than any list that people keep.
constexpr std::size_t kMostBytes = 64U << 20;

std::string DirectoryOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::PermissionDeniedError(absl::StrCat(
      "cannot write ", path, ": ", strerror(error), "; name another file"));
}

absl::Status WriteAll(int descriptor, const std::string& path,
                      std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return CannotWrite(path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteInPlace(const std::string& path, const std::string& text,
                          int flags) {
  const int descriptor =
      open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
  if (descriptor < 0) return CannotWrite(path, errno);
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  return WriteAll(descriptor, path, text);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const std::string message = absl::StrCat(
        "cannot read ", path, ": ", strerror(errno), "; check its name");
    return errno == ENOENT ? absl::NotFoundError(message)
                           : absl::PermissionDeniedError(message);
  }
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t size = read(descriptor, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return absl::PermissionDeniedError(absl::StrCat(
          "cannot read ", path, ": ", strerror(errno), "; check its name"));
    }
    if (size == 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > kMostBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, " is larger than 64 MiB; check its name"));
    }
  }
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  struct stat there;
  // A pipe, a terminal or a link stays what it is.
  if (lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return WriteInPlace(path, text, O_TRUNC);
  }
  std::string beside = absl::StrCat(path, ".XXXXXX");
  const int descriptor = mkostemp(beside.data(), O_CLOEXEC);
  if (descriptor < 0) return CannotWrite(path, errno);
  absl::Cleanup remove_it = [&beside] { unlink(beside.c_str()); };
  absl::Status status = WriteAll(descriptor, path, text);
  // As other programs make their files; mkostemp gives it to us alone.
  const mode_t mask = umask(0);
  umask(mask);
  (void)fchmod(descriptor, 0666 & ~mask);
  if (close(descriptor) != 0 && status.ok()) status = CannotWrite(path, errno);
  if (!status.ok()) return status;
  if (rename(beside.c_str(), path.c_str()) != 0) {
    return CannotWrite(path, errno);
  }
  std::move(remove_it).Cancel();
  return absl::OkStatus();
}

absl::StatusOr<gate::Suppressions> ReadSuppressions(
    const std::vector<std::string>& files, const std::string& program) {
  gate::Suppressions rules;
  std::vector<std::string> paths = files;
  std::string option =
      gate::SuppressionsOption(FromEnvironment("LSAN_OPTIONS"));
  if (!option.empty()) {
    const auto found = FindProgram(program);
    if (!fs::exists(option) && fs::path(option).is_relative() && found.ok()) {
      option = (fs::path(*found).parent_path() / option).string();
    }
    paths.push_back(std::move(option));
  }
  for (const std::string& path : paths) {
    const auto text = ReadFile(path);
    if (!text.ok()) return text.status();
    absl::Status added = rules.Add(*text, path);
    if (!added.ok()) return added;
  }
  return rules;
}

absl::StatusOr<gate::Baseline> ReadBaseline(const std::string& path,
                                            Absence absence) {
  if (path.empty()) return gate::Baseline();
  const auto text = ReadFile(path);
  if (!text.ok()) {
    if (absence == Absence::kEmpty && absl::IsNotFound(text.status())) {
      return gate::Baseline();
    }
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(text.status().message()),
                     ", or write it with --update-baseline"));
  }
  return gate::ParseBaseline(*text, path);
}

absl::Status CheckWritable(const ReportFiles& files) {
  for (const std::string* path : {&files.junit, &files.sarif, &files.gitlab,
                                  &files.json, &files.markdown}) {
    if (path->empty()) continue;
    std::error_code error;
    if (fs::is_directory(*path, error)) return CannotWrite(*path, EISDIR);
    if (access(DirectoryOf(*path).c_str(), W_OK | X_OK) != 0) {
      return CannotWrite(*path, errno);
    }
  }
  return absl::OkStatus();
}

std::string ExpandName(const std::string& name, const NameFacts& facts) {
  std::string expanded;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char next = i + 1 < name.size() ? name[i + 1] : '\0';
    if (name[i] != '%' ||
        std::string_view("pet%").find(next) == std::string_view::npos) {
      expanded += name[i];
      continue;
    }
    ++i;
    switch (next) {
      case 'p':
        absl::StrAppend(&expanded, facts.pid);
        break;
      case 'e':
        expanded += facts.program;
        break;
      case 't':
        absl::StrAppend(&expanded, facts.realtime_ns / 1'000'000'000);
        break;
      default:
        expanded += '%';
    }
  }
  return expanded;
}

absl::Status WriteReports(const ReportFiles& files, const NameFacts& names,
                          const gate::Judgement& judgement,
                          const gate::GateFacts& facts) {
  using Writer =
      std::string (*)(const gate::Judgement&, const gate::GateFacts&);
  const std::pair<const std::string*, Writer> wanted[] = {
      {&files.junit, gate::JunitText},
      {&files.sarif, gate::SarifText},
      {&files.gitlab, gate::GitlabText},
      {&files.json, gate::JsonText},
      {&files.markdown, gate::MarkdownText}};
  absl::Status status;
  for (const auto& [path, writer] : wanted) {
    if (path->empty()) continue;
    status.Update(
        WriteFile(ExpandName(*path, names), writer(judgement, facts)));
  }
  if (!files.github) return status;
  // A command counts only at the beginning of a line, and the program may have
  // left one open.
  const std::string commands = gate::GithubCommands(judgement, facts);
  std::printf("\n%s", commands.c_str());
  std::fflush(stdout);
  const std::string summary = FromEnvironment("GITHUB_STEP_SUMMARY");
  if (!summary.empty()) {
    // Other steps write to it as well.
    status.Update(
        WriteInPlace(summary, gate::MarkdownText(judgement, facts), O_APPEND));
  }
  return status;
}

}  // namespace heapledger::collector::cli
