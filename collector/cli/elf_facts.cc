// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/elf_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace heapledger::collector::cli {
namespace {

using ElfHandle = std::unique_ptr<Elf, int (*)(Elf*)>;

constexpr std::string_view kSanitizerLibraries[] = {
    "libasan.so",   "libtsan.so", "liblsan.so",
    "libhwasan.so", "libmsan.so", "libclang_rt."};
constexpr std::string_view kSanitizerSymbols[] = {"__asan_init", "__tsan_init",
                                                  "__lsan_init", "__msan_init",
                                                  "__hwasan_init"};

// A string table entry, empty where the file lies about it.
std::string_view StringAt(Elf* elf, std::size_t section, std::size_t offset) {
  const char* const text = elf_strptr(elf, section, offset);
  return text == nullptr ? "" : text;
}

void ReadSegments(Elf* elf, ElfFacts& facts) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return;
  facts.is_static = true;
  std::size_t bytes = 0;
  const char* const raw = elf_rawfile(elf, &bytes);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr ||
        header.p_type != PT_INTERP) {
      continue;
    }
    facts.is_static = false;
    if (raw == nullptr || header.p_offset > bytes ||
        header.p_filesz > bytes - header.p_offset) {
      continue;
    }
    const std::string_view interpreter(raw + header.p_offset, header.p_filesz);
    facts.is_musl = interpreter.find("ld-musl") != std::string_view::npos;
  }
}

void ReadNeeded(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                ElfFacts& facts) {
  Elf_Data* const data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  for (std::size_t i = 0; i < header.sh_size / header.sh_entsize; ++i) {
    GElf_Dyn entry;
    if (gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr) return;
    if (entry.d_tag != DT_NEEDED) continue;
    const std::string_view name =
        StringAt(elf, header.sh_link, entry.d_un.d_val);
    for (const std::string_view library : kSanitizerLibraries) {
      if (name.starts_with(library)) facts.sanitizer = name;
    }
  }
}

void ReadSymbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                 ElfFacts& facts) {
  Elf_Data* const data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  for (std::size_t i = 0; i < header.sh_size / header.sh_entsize; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    if (symbol.st_shndx == SHN_UNDEF) continue;
    const std::string_view name = StringAt(elf, header.sh_link, symbol.st_name);
    if (header.sh_type == SHT_DYNSYM && name == "malloc") {
      facts.defines_malloc = true;
    }
    if (name == "_rjem_malloc") facts.has_private_jemalloc = true;
    if (header.sh_type == SHT_DYNSYM &&
        std::ranges::count(kSanitizerSymbols, name) > 0) {
      facts.sanitizer = name;
    }
  }
}

void ReadSections(Elf* elf, ElfFacts& facts) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const std::string_view name = StringAt(elf, names, header.sh_name);
    if (name == ".eh_frame") facts.has_frame_tables = true;
    if (name == ".debug_info") facts.has_debug_info = true;
    if (header.sh_type == SHT_DYNAMIC) ReadNeeded(elf, section, header, facts);
    if (name == ".go.buildinfo" || name == ".note.go.buildid") {
      facts.is_go = true;
    }
    if (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) {
      ReadSymbols(elf, section, header, facts);
    }
  }
}

// "#!/bin/sh -e" -> "/bin/sh"
std::string ScriptInterpreter(int descriptor) {
  std::array<char, 256> head{};
  const ssize_t size = pread(descriptor, head.data(), head.size() - 1, 0);
  std::string_view text(head.data(),
                        static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (!text.starts_with("#!")) return "";
  text = text.substr(0, text.find('\n')).substr(2);
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return std::string(text.substr(0, text.find_first_of(" \t")));
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    if (access(program.c_str(), X_OK) == 0) return program;
    return absl::NotFoundError(
        absl::StrCat(program, " cannot be run: ", strerror(errno)));
  }
  const char* const path = getenv("PATH");
  const std::vector<std::string> directories =
      absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':');
  for (const std::string& directory : directories) {
    const std::string candidate =
        absl::StrCat(directory.empty() ? "." : directory, "/", program);
    struct stat facts;
    if (access(candidate.c_str(), X_OK) == 0 &&
        stat(candidate.c_str(), &facts) == 0 && S_ISREG(facts.st_mode)) {
      return candidate;
    }
  }
  return absl::NotFoundError(
      absl::StrCat(program, " is in no directory of PATH"));
}

absl::StatusOr<ElfFacts> ReadElfFacts(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot read ", path, ": ", strerror(errno)));
  }
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  ElfFacts facts;
  facts.path = path;
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is no regular file"));
  }
  facts.is_privileged =
      (status.st_mode & (S_ISUID | S_ISGID)) != 0 ||
      fgetxattr(descriptor, "security.capability", nullptr, 0) > 0;
  facts.script_interpreter = ScriptInterpreter(descriptor);
  elf_version(EV_CURRENT);
  const ElfHandle elf(elf_begin(descriptor, ELF_C_READ, nullptr), elf_end);
  GElf_Ehdr header;
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF ||
      gelf_getehdr(elf.get(), &header) == nullptr) {
    return facts;
  }
  facts.is_elf = true;
  facts.is_64_bit = header.e_ident[EI_CLASS] == ELFCLASS64;
  facts.is_x86_64 = header.e_machine == EM_X86_64;
  ReadSegments(elf.get(), facts);
  ReadSections(elf.get(), facts);
  return facts;
}

}  // namespace heapledger::collector::cli
