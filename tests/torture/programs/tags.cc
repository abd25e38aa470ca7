// SPDX-License-Identifier: Apache-2.0
// Scopes of tags where they are hard to keep apart. Prints a line "tag bytes
// objects" for what is live under each tag at the end, by its own count, and
// "open tag N" for scopes that are not over.
//
// Usage: tags threads|jump|throw|signals|fork|ends|deep|many|switch
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "heapledger/heapledger.h"

namespace {

constexpr int kTags = 4;
const char* const kNames[kTags] = {"red", "green", "blue", "black"};
heapledger_tag_t g_tags[kTags];
std::atomic<long> g_bytes[kTags];
std::atomic<long> g_objects[kTags];

// A block that knows its tag; -1: none.
struct Block {
  int tag;
  std::size_t bytes;
};

void Count(int tag, long bytes, long objects) {
  if (tag < 0) return;
  g_bytes[tag] += bytes;
  g_objects[tag] += objects;
}

[[gnu::noinline]] Block* Allocate(int tag, std::size_t bytes) {
  auto* const block = static_cast<Block*>(std::malloc(bytes));
  *block = {tag, bytes};
  Count(tag, static_cast<long>(bytes), 1);
  return block;
}

// Under another stack.
[[gnu::noinline]] Block* AllocateElsewhere(int tag, std::size_t bytes) {
  Block* const block = Allocate(tag, bytes);
  asm volatile("" : : "r"(block) : "memory");
  return block;
}

// Not over an allocator whose realloc() calls free().
bool g_may_grow = true;

[[gnu::noinline]] Block* Grow(Block* block, int tag, std::size_t bytes) {
  if (!g_may_grow) return block;
  Count(block->tag, -static_cast<long>(block->bytes), -1);
  block = static_cast<Block*>(std::realloc(block, bytes));
  *block = {tag, bytes};
  Count(tag, static_cast<long>(bytes), 1);
  return block;
}

[[gnu::noinline]] void Release(Block* block) {
  if (block == nullptr) return;
  Count(block->tag, -static_cast<long>(block->bytes), -1);
  std::free(block);
}

void Print() {
  for (int tag = 0; tag < kTags; ++tag) {
    if (g_objects[tag] == 0) continue;
    std::printf("%s %ld %ld\n", kNames[tag], g_bytes[tag].load(),
                g_objects[tag].load());
  }
}

struct Random {
  std::uint64_t state;
  std::uint32_t Below(std::uint32_t end) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state >> 33) % end;
  }
};

// Blocks on their way from one thread to another.
constexpr int kSlots = 256;
std::atomic<Block*> g_slots[kSlots];

// A random walk through scopes; what it allocates goes to anybody.
void Walk(Random& random, int tag, int depth) {
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t what = random.Below(8);
    const std::size_t bytes = sizeof(Block) + random.Below(600);
    if (what == 0 && depth < 6) {
      const int inner = static_cast<int>(random.Below(kTags + 1)) - 1;
      const heapledger::Tag next(inner < 0 ? 0 : g_tags[inner]);
      if (random.Below(2) == 0) {
        const heapledger::TagScope scope(next);
        Walk(random, inner, depth + 1);
      } else {
        const heapledger::AdoptedTag scope(next);
        Walk(random, inner, depth + 1);
      }
    } else if (what < 4) {
      Release(g_slots[random.Below(kSlots)].exchange(Allocate(tag, bytes)));
    } else if (what == 4) {
      Release(g_slots[random.Below(kSlots)].exchange(
          AllocateElsewhere(tag, bytes)));
    } else if (what == 5) {
      Block* const block = g_slots[random.Below(kSlots)].exchange(nullptr);
      if (block == nullptr) continue;
      Release(g_slots[random.Below(kSlots)].exchange(Grow(block, tag, bytes)));
    } else {
      Release(g_slots[random.Below(kSlots)].exchange(nullptr));
    }
  }
}

void* WalkThread(void* seed) {
  Random random{reinterpret_cast<std::uintptr_t>(seed)};
  for (int i = 0; i < 150; ++i) Walk(random, -1, 0);
  return nullptr;
}

// More threads than there are shards of their own.
void Threads() {
  constexpr int kThreads = 32;
  pthread_t threads[kThreads];
  for (std::uintptr_t i = 0; i < kThreads; ++i) {
    pthread_create(&threads[i], nullptr, WalkThread,
                   reinterpret_cast<void*>(i + 1));
  }
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

// Out of scopes without their ends: the outer one's end closes them.
void Jump() {
  static int i;  // not in a register that the jump brings back
  for (i = 0; i < 1000; ++i) {
    const heapledger_scope_t outer = heapledger_tag_push(g_tags[0]);
    volatile heapledger_scope_t inner = 0;
    jmp_buf here;
    if (setjmp(here) == 0) {
      inner = heapledger_tag_push(g_tags[1]);
      Allocate(1, 40);
      (void)heapledger_tag_push(g_tags[2]);
      Allocate(2, 50);
      longjmp(here, 1);
    }
    if (i % 2 == 0) {
      heapledger_tag_pop(inner);
      Allocate(0, 60);
    } else {
      Allocate(2, 70);  // where the jump left us
    }
    heapledger_tag_pop(outer);
    heapledger_tag_pop(inner);  // over: does nothing
    Release(Allocate(-1, 80));
  }
}

[[gnu::noinline]] void ThrowFrom(int depth) {
  const heapledger::TagScope scope(g_tags[depth % kTags]);
  Allocate(depth % kTags, 32);
  if (depth == 10) throw std::runtime_error("out");
  ThrowFrom(depth + 1);
}

void Throw() {
  for (int i = 0; i < 100; ++i) {
    const heapledger::TagScope scope(g_tags[3]);
    try {
      ThrowFrom(0);
    } catch (const std::exception&) {
      Allocate(3, 64);
    }
  }
}

void Handle(int) {
  // Under the tag of what it interrupts: not counted by us, and given back.
  Release(Allocate(-1, 24));
  const heapledger::TagScope scope(g_tags[3]);
  Block* const kept = Allocate(3, 48);
  if (g_objects[3] > 2000) Release(kept);
}

void Signals() {
  g_may_grow = false;
  struct sigaction action {};
  action.sa_handler = Handle;
  sigaction(SIGALRM, &action, nullptr);
  itimerval often{{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &often, nullptr);
  Random random{7};
  for (int i = 0; i < 1500; ++i) Walk(random, -1, 0);
  itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
}

// Children print to the same pipe, one line at a time: theirs with their pid in
// front, which is no word of the parent's.
void Fork() {
  const heapledger::TagScope scope(g_tags[0]);
  Block* const inherited = Allocate(0, 100);
  for (int i = 0; i < 20; ++i) {
    const heapledger::TagScope inner(g_tags[1]);
    const pid_t child = fork();
    if (child == 0) {
      Allocate(1, 30);
      Release(inherited);
      const heapledger::TagScope own{
          heapledger::Tag("child", {{"of", "fork"}})};
      std::free(std::malloc(70));
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) std::abort();
    Allocate(1, 20);
  }
}

void* EndInside(void*) {
  (void)heapledger_tag_push(g_tags[1]);
  (void)heapledger_tag_push(g_tags[2]);
  Allocate(2, 90);
  pthread_exit(nullptr);
}

void* EndOutside(void*) { pthread_exit(nullptr); }

void Ends() {
  // What libc keeps since the first end of a thread is nobody's.
  pthread_t first;
  pthread_create(&first, nullptr, EndOutside, nullptr);
  pthread_join(first, nullptr);
  for (int i = 0; i < 200; ++i) {
    pthread_t thread;
    pthread_create(&thread, nullptr, EndInside, nullptr);
    pthread_join(thread, nullptr);
    Allocate(-1, 16);
  }
  (void)heapledger_tag_push(g_tags[3]);
  heapledger_tag_begin(g_tags[0]);
  heapledger_tag_begin(g_tags[0]);
  heapledger_tag_end(g_tags[0]);
  std::printf("open black 1\nopen red 1\n");
}

void GoDeep(int depth) {
  if (depth == 100) return;
  const heapledger::TagScope scope(g_tags[depth % kTags]);
  GoDeep(depth + 1);
  Allocate(depth % kTags, 16);
}

void Deep() {
  GoDeep(0);
  Release(Allocate(-1, 16));
}

// More tags than there can be.
void Many() {
  long other = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "tag" + std::to_string(i);
    const heapledger_tag_t tag = heapledger_tag(name.c_str(), nullptr);
    if (tag != heapledger_tag(name.c_str(), nullptr)) std::abort();
    const heapledger::TagScope scope(tag);
    if (std::malloc(32) == nullptr) std::abort();
    if (i + kTags >= 4094) ++other;
  }
  std::printf("_other %ld %ld\n", other * 32, other);
}

// In and out all the time: the memo of stacks switches with it.
void Switch() {
  for (int i = 0; i < 20000; ++i) {
    const int tag = i % kTags;
    const heapledger::TagScope scope(g_tags[tag]);
    for (int k = 0; k < i % 4; ++k) {
      Block* const block = Allocate(tag, 40);
      if (i % 101 != 0) Release(block);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  static char buffer[4096];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  for (int i = 0; i < kTags; ++i) {
    g_tags[i] = heapledger_tag(kNames[i], nullptr);
  }
  const std::string what = argv[1];
  if (what == "threads") Threads();
  if (what == "jump") Jump();
  if (what == "throw") Throw();
  if (what == "signals") Signals();
  if (what == "fork") Fork();
  if (what == "ends") Ends();
  if (what == "deep") Deep();
  if (what == "many") Many();
  if (what == "switch") Switch();
  Print();
  return 0;
}
