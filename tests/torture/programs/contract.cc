// SPDX-License-Identifier: Apache-2.0
// What libc and the C++ library promise of every entry point. Prints what it
// finds, and nothing that changes from run to run, so that a run with the shim
// must print what a bare one does.
#include <dlfcn.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

namespace {

// Too large for any allocator, and unknown to the compiler.
volatile std::size_t g_huge = PTRDIFF_MAX;
volatile std::size_t g_half = SIZE_MAX / 2;

void Say(const char* what, bool holds) {
  std::printf("%s %s\n", what, holds ? "yes" : "NO");
}

bool Aligned(const void* block, std::size_t alignment) {
  return block != nullptr &&
         reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

// errno after a call that is refused.
template <typename Call>
void Refused(const char* what, Call&& call) {
  errno = 0;
  void* const block = call();
  std::printf("%s %s errno %d\n", what, block == nullptr ? "null" : "BLOCK",
              errno);
}

void Refusals() {
  Refused("malloc huge", [] { return malloc(g_huge + 1); });
  Refused("malloc ptrdiff", [] { return malloc(g_huge); });
  Refused("calloc product", [] { return calloc(g_half, 4); });
  Refused("calloc huge", [] { return calloc(1, g_huge + 1); });
  Refused("reallocarray product",
          [] { return reallocarray(nullptr, g_half, 4); });
  Refused("realloc null huge", [] { return realloc(nullptr, g_huge + 1); });
  Refused("memalign huge", [] { return memalign(64, g_huge); });
  Refused("aligned_alloc huge", [] { return aligned_alloc(64, g_huge); });
  Refused("valloc huge", [] { return valloc(g_huge); });
  Refused("pvalloc huge", [] { return pvalloc(g_huge); });
  int untouched = 0;
  void* block = &untouched;
  for (const std::size_t alignment : {0UL, 1UL, 3UL, 4UL, 7UL, 12UL, 24UL}) {
    errno = 0;
    const int result = posix_memalign(&block, alignment, 10);
    std::printf("posix_memalign %zu: %d, errno %d, %s\n", alignment, result,
                errno, block == &untouched ? "untouched" : "CHANGED");
    if (block != &untouched) free(block);
    block = &untouched;
  }
  std::printf("posix_memalign huge: %d %s\n",
              posix_memalign(&block, 64, g_huge),
              block == &untouched ? "untouched" : "CHANGED");
}

// A realloc that is refused leaves the block as it was.
void Intact() {
  auto* const block = static_cast<char*>(malloc(200));
  std::memset(block, 0x5c, 200);
  // The compiler takes a block that was handed to realloc for freed.
  static void* volatile hidden;
  hidden = block;
  Refused("realloc huge", [] { return realloc(hidden, g_huge + 1); });
  Refused("reallocarray of block",
          [] { return reallocarray(hidden, g_half, 4); });
  bool intact = true;
  for (int i = 0; i < 200; ++i) intact = intact && block[i] == 0x5c;
  Say("intact", intact);
  free(block);
}

void Zeros() {
  Say("malloc(0)", malloc_usable_size(malloc(0)) > 0);
  Say("calloc(0, 8)", calloc(0, 8) != nullptr);
  void* const block = malloc(10);
  Say("realloc(p, 0) is null", realloc(block, 0) == nullptr);
  Say("realloc(null, 0)", realloc(nullptr, 0) != nullptr);
  Say("usable(null) is 0", malloc_usable_size(nullptr) == 0);
  free(nullptr);
  bool zeroed = true;
  for (std::size_t bytes = 1; bytes < 300000; bytes = bytes * 5 / 3 + 1) {
    auto* dirty = static_cast<char*>(malloc(bytes));
    std::memset(dirty, 0xff, bytes);
    free(dirty);
    auto* const clean = static_cast<char*>(calloc(bytes, 1));
    for (std::size_t i = 0; i < bytes; ++i) zeroed = zeroed && clean[i] == 0;
    free(clean);
  }
  Say("calloc zeroes", zeroed);
}

void Alignments() {
  bool good = true;
  for (std::size_t alignment = 1; alignment <= 1 << 20; alignment *= 2) {
    for (const std::size_t bytes : {0UL, 1UL, 100UL, 5000UL, 200000UL}) {
      void* blocks[4] = {memalign(alignment, bytes),
                         aligned_alloc(alignment, bytes), valloc(bytes),
                         pvalloc(bytes)};
      good = good && Aligned(blocks[0], alignment) &&
             Aligned(blocks[1], alignment) && Aligned(blocks[2], 4096) &&
             Aligned(blocks[3], 4096) &&
             malloc_usable_size(blocks[3]) >= (bytes + 4095) / 4096 * 4096;
      for (void* block : blocks) {
        good = good && malloc_usable_size(block) >= bytes;
        std::memset(block, 1, bytes);
        free(block);
      }
    }
  }
  Say("alignments", good);
  good = true;
  for (std::size_t bytes = 0; bytes < 3000; bytes += 7) {
    void* const block = malloc(bytes);
    good = good && Aligned(block, 16);
    free(block);
  }
  Say("malloc to 16", good);
}

// glibc gives what was asked for, and little more.
void UsableSizes() {
  bool good = true;
  for (std::size_t bytes = 0; bytes < 5000; ++bytes) {
    void* const block = malloc(bytes);
    const std::size_t usable = malloc_usable_size(block);
    good = good && usable >= bytes && usable <= bytes + 64;
    free(block);
  }
  Say("usable sizes", good);
}

// What a success must leave alone.
void Errno() {
  errno = 77;
  void* const blocks[] = {malloc(1 << 20), calloc(3, 1 << 20),
                          realloc(malloc(5), 1 << 21), memalign(4096, 100)};
  Say("errno of success", errno == 77);
  for (void* block : blocks) free(block);
  Say("errno of free", errno == 77);
}

void Reallocs() {
  char* block = nullptr;
  bool kept = true;
  std::size_t old = 0;
  for (std::size_t bytes = 1; bytes < 3000000; bytes = bytes * 3 / 2 + 1) {
    block = static_cast<char*>(realloc(block, bytes));
    for (std::size_t i = 0; i < old; ++i) {
      kept = kept && block[i] == static_cast<char>(i % 251);
    }
    for (std::size_t i = old; i < bytes; ++i) {
      block[i] = static_cast<char>(i % 251);
    }
    old = bytes;
  }
  for (std::size_t bytes = old; bytes > 10; bytes = bytes * 2 / 3) {
    block = static_cast<char*>(reallocarray(block, 1, bytes));
    for (std::size_t i = 0; i < bytes; ++i) {
      kept = kept && block[i] == static_cast<char>(i % 251);
    }
  }
  free(block);
  Say("realloc keeps", kept);
}

void LibcCallers() {
  char* text = strdup("strdup");
  std::printf("%s\n", text);
  free(text);
  text = strndup("strndup and more", 7);
  std::printf("%s\n", text);
  free(text);
  if (asprintf(&text, "asprintf %d", 42) > 0) std::printf("%s\n", text);
  free(text);
  char* line = nullptr;
  std::size_t room = 0;
  std::FILE* file =
      fmemopen(const_cast<char*>("a line\nand another\n"), 19, "r");
  while (getline(&line, &room, file) > 0) std::printf("getline %s", line);
  free(line);
  std::fclose(file);
  char* stream_text = nullptr;
  std::size_t stream_bytes = 0;
  file = open_memstream(&stream_text, &stream_bytes);
  for (int i = 0; i < 100; ++i) std::fprintf(file, "%d,", i);
  std::fclose(file);
  std::printf("open_memstream %zu\n", stream_bytes);
  free(stream_text);
}

void PassedThrough() {
  std::printf("mallopt %d\n", mallopt(M_MMAP_THRESHOLD, 1 << 20));
  void* const held = malloc(100000);
  Say("mallinfo2", mallinfo2().uordblks >= 100000);
  free(held);
  std::printf("malloc_trim %s\n", malloc_trim(0) >= 0 ? "ran" : "FAILED");
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* const file = open_memstream(&text, &bytes);
  std::printf("malloc_info %d\n", malloc_info(0, file));
  std::fclose(file);
  Say("malloc_info says", std::strstr(text, "<malloc version") == text);
  free(text);
  // Of C23; there with the shim even where libc has none.
  const auto sized = reinterpret_cast<void (*)(void*, std::size_t)>(
      dlsym(RTLD_DEFAULT, "free_sized"));
  if (sized != nullptr) sized(malloc(50), 50);
}

int g_handlers = 0;
void Handler() {
  if (++g_handlers == 3) std::set_new_handler(nullptr);
}

void CxxForms() {
  using std::align_val_t;
  using std::nothrow;
  bool good = true;
  const auto keep = [&good](void* block, std::size_t alignment) {
    good = good && Aligned(block, alignment);
    if (block != nullptr) std::memset(block, 3, 70);
    return block;
  };
  ::operator delete(keep(::operator new(70), 16));
  ::operator delete (keep(::operator new(70), 16), std::size_t{70});
  ::operator delete(keep(::operator new(70, nothrow), 16), nothrow);
  ::operator delete[](keep(::operator new[](70), 16));
  ::operator delete[](keep(::operator new[](70), 16), std::size_t{70});
  ::operator delete[](keep(::operator new[](70, nothrow), 16), nothrow);
  for (const std::size_t a : {8UL, 64UL, 4096UL, 65536UL}) {
    const align_val_t at{a};
    ::operator delete(keep(::operator new(70, at), a), at);
    ::operator delete (keep(::operator new(70, at), a), std::size_t{70}, at);
    ::operator delete(keep(::operator new(70, at, nothrow), a), at, nothrow);
    ::operator delete[](keep(::operator new[](70, at), a), at);
    ::operator delete[](keep(::operator new[](70, at), a), std::size_t{70}, at);
    ::operator delete[](keep(::operator new[](70, at, nothrow), a), at,
                        nothrow);
  }
  ::operator delete(nullptr);
  Say("new and delete", good);
  Say("new(0)", ::operator new(0) != nullptr);
  const std::size_t huge = g_huge;
  Say("nothrow of huge",
      ::operator new(huge, nothrow) ==
          nullptr&& ::operator new[](huge, nothrow) ==
          nullptr&& ::operator new (huge, align_val_t{64}, nothrow) == nullptr);
  int thrown = 0;
  std::set_new_handler(Handler);
  for (int form = 0; form < 3; ++form) {
    try {
      if (form == 0) (void)!::operator new(huge);
      if (form == 1) (void)!::operator new[](huge);
      if (form == 2) (void)!::operator new (huge, align_val_t{256});
    } catch (const std::bad_alloc&) {
      ++thrown;
    }
  }
  std::printf("bad_alloc %d, handlers %d\n", thrown, g_handlers);
}

}  // namespace

int main() {
  Refusals();
  Intact();
  Zeros();
  Alignments();
  UsableSizes();
  Errno();
  Reallocs();
  LibcCallers();
  PassedThrough();
  CxxForms();
  std::fflush(stdout);
  return 0;
}
