// SPDX-License-Identifier: Apache-2.0
// Exported symbols of a loaded object, read from its own dynamic section: no
// lock, no allocation, nothing of the loader. dlsym would take a lock and, for
// a name that is missing, allocate.
//
// Needs the GNU hash table, which every object linked in the last fifteen years
// has; without it no symbol is found.
#pragma once

#include <elf.h>

#include <cstdint>

namespace heapledger::preload {

class ElfSymbols {
 public:
  struct Symbol {
    std::uint64_t address = 0;  // 0: not exported
    std::uint64_t bytes = 0;
  };

  // `dynamic` is the object's dynamic section as loaded, `bias` its load bias.
  // REQUIRES: the object stays loaded.
  ElfSymbols(const Elf64_Dyn* dynamic, std::uint64_t bias) : bias_(bias) {
    for (; dynamic->d_tag != DT_NULL; ++dynamic) {
      switch (dynamic->d_tag) {
        case DT_GNU_HASH:
          hash_ = At<std::uint32_t>(dynamic->d_un.d_ptr);
          break;
        case DT_SYMTAB:
          symbols_ = At<Elf64_Sym>(dynamic->d_un.d_ptr);
          break;
        case DT_STRTAB:
          strings_ = At<char>(dynamic->d_un.d_ptr);
          break;
        default:
          break;
      }
    }
  }

  [[nodiscard]] Symbol Find(const char* name) const {
    if (hash_ == nullptr || symbols_ == nullptr || strings_ == nullptr) {
      return {};
    }
    const std::uint32_t buckets = hash_[0];
    const std::uint32_t first = hash_[1];
    const std::uint32_t filter_words = hash_[2];
    const std::uint32_t* const bucket =
        hash_ + 4 + std::uint64_t{filter_words} * 2;
    const std::uint32_t* const chain = bucket + buckets;
    if (buckets == 0) return {};
    const std::uint32_t hash = Hash(name);
    std::uint32_t at = bucket[hash % buckets];
    if (at < first) return {};
    for (;; ++at) {
      const std::uint32_t here = chain[at - first];
      // The lowest bit ends a chain.
      if ((here | 1) == (hash | 1) &&
          Same(strings_ + symbols_[at].st_name, name)) {
        const Elf64_Sym& symbol = symbols_[at];
        if (symbol.st_shndx == SHN_UNDEF) return {};
        return {symbol.st_value + bias_, symbol.st_size};
      }
      if ((here & 1) != 0) return {};
    }
  }

 private:
  // glibc has put the bias on already, but not in objects whose dynamic section
  // is read-only.
  template <typename T>
  const T* At(std::uint64_t address) const {
    return reinterpret_cast<const T*>(address < bias_ ? address + bias_
                                                      : address);
  }

  static std::uint32_t Hash(const char* name) {
    std::uint32_t hash = 5381;
    for (; *name != '\0'; ++name) {
      hash = hash * 33 + static_cast<unsigned char>(*name);
    }
    return hash;
  }

  static bool Same(const char* a, const char* b) {
    for (; *a == *b; ++a, ++b) {
      if (*a == '\0') return true;
    }
    return false;
  }

  std::uint64_t bias_;
  const std::uint32_t* hash_ = nullptr;
  const Elf64_Sym* symbols_ = nullptr;
  const char* strings_ = nullptr;
};

}  // namespace heapledger::preload
