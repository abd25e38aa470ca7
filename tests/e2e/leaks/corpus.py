# SPDX-License-Identifier: Apache-2.0
"""Small programs that leak a known amount, or nothing.

Each is (name, language, what it loses, source). What it loses is a map from
the function that allocates to [direct bytes, direct blocks, indirect bytes,
indirect blocks]; empty for a clean program. "child" in the name: the loss is a
forked child's. PLUGINS are shared libraries that programs get as argv[1].
"""

PLUGIN = r"""
#include "prelude.h"
SITE(PluginSite)
void* g_held;
static __thread char t_large[32 << 10];
static __thread void* t_held;
void LosePlugin(size_t n) { USE(PluginSite(n)); }
void HoldPlugin(size_t n) { g_held = PluginSite(n); }
void HoldInThread(size_t n) { t_large[9] = 1; t_held = PluginSite(n); USE(&t_held); }
"""

C, CXX = "c", "cc"
PROGRAMS = []


def program(name, language, losses, source):
    PROGRAMS.append((name, language, losses, source))


def leaking(name, losses, source, language=C):
    program("leak_" + name, language, losses, source)


def clean(name, source, language=C):
    program("clean_" + name, language, {}, source)


# --- Leaks in C ---

leaking("local", {"Lost": [100, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) { USE(Lost(100)); }
int main(void) { Run(); return 0; }
""")
leaking("global_overwritten", {"Lost": [50, 1, 0, 0]}, r"""
SITE(Lost) SITE(Kept)
void* g_held;
int main(void) { g_held = Lost(50); g_held = Kept(60); return 0; }
""")
leaking("list", {"Lost": [24, 1, 48, 2]}, r"""
SITE(Lost)
static NOINLINE void Run(void) {
  struct Node* head = NULL;
  for (int i = 0; i < 3; ++i) {
    struct Node* node = (struct Node*)Lost(sizeof *node);
    node->next = head;
    head = node;
  }
}
int main(void) { Run(); return 0; }
""")
leaking("list_tail_beside_live_nodes", {"Lost": [24, 1, 48, 2]}, r"""
SITE(Lost) SITE(Kept)
struct Node* g_kept[8];
static NOINLINE void Run(void) {
  struct Node* head = NULL;
  for (int i = 0; i < 3; ++i) {
    g_kept[i] = (struct Node*)Kept(24);
    struct Node* node = (struct Node*)Lost(24);
    node->next = head;
    head = node;
    g_kept[i + 4] = (struct Node*)Kept(24);
  }
}
int main(void) { Run(); return 0; }
""")
leaking("circle", {"Lost": [32, 1, 32, 1]}, r"""
SITE(Lost)
static NOINLINE void Run(void) {
  void** a = (void**)Lost(32);
  void** b = (void**)Lost(32);
  *a = b;
  *b = a;
}
int main(void) { Run(); return 0; }
""")
leaking("circle_of_one", {"Lost": [40, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) {
  void** a = (void**)Lost(40);
  *a = a;
}
int main(void) { Run(); return 0; }
""")
leaking("tail_behind_circle", {"Lost": [32, 1, 32, 1],
                               "Tail": [0, 0, 70, 1]}, r"""
SITE(Lost) SITE(Tail)
static NOINLINE void Run(void) {
  void** a = (void**)Lost(32);
  void** b = (void**)Lost(32);
  a[0] = b;
  b[0] = a;
  b[1] = Tail(70);
}
int main(void) { Run(); return 0; }
""")
leaking("tree", {"Root": [16, 1, 0, 0], "Leaf": [0, 0, 80, 2]}, r"""
SITE(Root) SITE(Leaf)
static NOINLINE void Run(void) {
  void** root = (void**)Root(16);
  root[0] = Leaf(40);
  root[1] = Leaf(40);
}
int main(void) { Run(); return 0; }
""")
leaking("member_of_freed", {"Member": [200, 1, 0, 0]}, r"""
SITE(Owner) SITE(Member)
static NOINLINE void Run(void) {
  void** owner = (void**)Owner(64);
  owner[5] = Member(200);
  free(owner);
}
int main(void) { Run(); return 0; }
""")
leaking("stale_in_large_freed", {"Member": [200, 1, 0, 0]}, r"""
SITE(Owner) SITE(Member)
static NOINLINE void Run(void) {
  void** owner = (void**)Owner(100000);
  owner[5000] = Member(200);
  free(owner);
}
int main(void) { Run(); return 0; }
""")
leaking("realloc", {"Grow": [300, 1, 0, 0]}, r"""
SITE(First)
static NOINLINE void* Grow(void* block) {
  void* grown = realloc(block, 300);
  USE(grown);
  return grown;
}
static NOINLINE void Run(void) { USE(Grow(First(10))); }
int main(void) { Run(); return 0; }
""")
leaking("strdup", {"Run": [12, 1, 0, 0]}, r"""
static NOINLINE void Run(void) { USE(strdup("hello world")); }
int main(void) { Run(); return 0; }
""")
leaking("calloc", {"Run": [5000, 1, 0, 0]}, r"""
static NOINLINE void Run(void) { USE(calloc(50, 100)); }
int main(void) { Run(); return 0; }
""")
leaking("aligned", {"Run": [1100, 2, 0, 0]}, r"""
static NOINLINE void Run(void) {
  void* block;
  if (posix_memalign(&block, 4096, 1000) != 0) abort();
  USE(aligned_alloc(64, 100));
  block = NULL;
}
int main(void) { Run(); return 0; }
""")
leaking("no_bytes", {"Run": [0, 3, 0, 0]}, r"""
static NOINLINE void Run(void) {
  for (int i = 0; i < 3; ++i) USE(malloc(0));
}
int main(void) { Run(); return 0; }
""")
leaking("large", {"Lost": [3 << 20, 1, 0, 0], "Child": [0, 0, 90, 1]}, r"""
SITE(Lost) SITE(Child)
static NOINLINE void Run(void) {
  void** block = (void**)Lost(3 << 20);
  block[300000] = Child(90);
}
int main(void) { Run(); return 0; }
""")
leaking("every_size", {"Lost": [500500, 1000, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) {
  for (size_t n = 1; n <= 1000; ++n) USE(Lost(n));
}
int main(void) { Run(); return 0; }
""")
leaking("between_live", {"Lost": [16 * 500, 500, 0, 0]}, r"""
SITE(Lost) SITE(Kept)
void* g_kept[500];
static NOINLINE void Run(void) {
  for (int i = 0; i < 500; ++i) {
    g_kept[i] = Kept(16);
    USE(Lost(16));
  }
}
int main(void) { Run(); return 0; }
""")
leaking("dead_frame", {"Lost": [64, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Deep(int depth) {
  void* volatile slots[16];
  for (int i = 0; i < 16; ++i) slots[i] = NULL;
  if (depth > 0) Deep(depth - 1);
  else slots[7] = Lost(64);
  USE(slots[7]);
}
int main(void) { Deep(8); return 0; }
""")
leaking("open_directory", {"Run": None}, r"""
static NOINLINE void Run(void) { USE(opendir("/")); }
int main(void) { Run(); return 0; }
""")
leaking("exit", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) { USE(Lost(77)); }
static NOINLINE void Leave(void) { exit(0); }
int main(void) { Run(); Leave(); return 1; }
""")
leaking("exit_now", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) { USE(Lost(77)); }
int main(void) { Run(); _exit(0); }
""")
leaking("exit_now_c99", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) { USE(Lost(77)); }
int main(void) { Run(); _Exit(0); }
""")
leaking("quick_exit", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost) SITE(Late)
void* g_late;
static NOINLINE void Run(void) { USE(Lost(77)); }
static void Handler(void) { free(g_late); }
int main(void) {
  Run();
  g_late = Late(20);
  at_quick_exit(Handler);
  quick_exit(0);
}
""")
leaking("exit_from_thread", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost) SITE(Kept)
static NOINLINE void Run(void) { USE(Lost(77)); }
static void* Leave(void* unused) { (void)unused; Run(); exit(0); }
int main(void) {
  void* volatile held = Kept(40);
  pthread_join(StartThread(Leave, NULL), NULL);
  USE(held);
  return 1;
}
""")
leaking("exit_from_handler", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) { USE(Lost(77)); }
static void Handler(int signal) { (void)signal; exit(0); }
int main(void) { Run(); signal(SIGUSR1, Handler); raise(SIGUSR1); return 1; }
""")
leaking("exit_in_atexit", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) { USE(Lost(77)); }
static void Handler(void) { _exit(0); }
int main(void) { Run(); atexit(Handler); return 1; }
""")
leaking("main_thread_first", {"Lost": [77, 1, 0, 0]}, r"""
SITE(Lost) SITE(Kept)
void* g_kept;
static NOINLINE void Run(void) { USE(Lost(77)); }
static void* Last(void* unused) { usleep(50000); Run(); return unused; }
int main(void) {
  g_kept = Kept(10);
  pthread_detach(StartThread(Last, NULL));
  pthread_exit(NULL);
}
""")
leaking("joined_thread", {"Lost": [1000, 10, 0, 0]}, r"""
SITE(Lost)
static void* Run(void* unused) {
  for (int i = 0; i < 10; ++i) USE(Lost(100));
  return unused;
}
int main(void) { pthread_join(StartThread(Run, NULL), NULL); return 0; }
""")
leaking("stack_of_ended_thread", {"Lost": [123, 1, 0, 0]}, r"""
SITE(Lost)
static void* Run(void* unused) {
  void* volatile held = Lost(123);
  USE(held);
  return unused;
}
int main(void) { pthread_join(StartThread(Run, NULL), NULL); return 0; }
""")
leaking("storage_of_ended_thread", {"Lost": [123, 1, 0, 0]}, r"""
SITE(Lost)
static __thread void* t_held;
static void* Run(void* unused) { t_held = Lost(123); USE(t_held); return unused; }
int main(void) { pthread_join(StartThread(Run, NULL), NULL); return 0; }
""")
leaking("key_of_ended_thread", {"Lost": [123, 1, 0, 0]}, r"""
SITE(Lost)
static pthread_key_t g_key;
static void* Run(void* unused) { pthread_setspecific(g_key, Lost(123)); return unused; }
int main(void) {
  pthread_key_create(&g_key, NULL);
  pthread_join(StartThread(Run, NULL), NULL);
  return 0;
}
""")
leaking("dead_part_of_live_stack", {"Lost": [64, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Deep(int depth) {
  void* volatile slots[16];
  for (int i = 0; i < 16; ++i) slots[i] = NULL;
  if (depth > 0) Deep(depth - 1);
  else slots[7] = Lost(64);
  USE(slots[7]);
}
static void* Run(void* unused) { Deep(20); Begun(); WaitForEver(); return unused; }
int main(void) { StartThread(Run, NULL); AwaitBegun(1); return 0; }
""")
leaking("beside_running_threads", {"Lost": [330, 3, 0, 0]}, r"""
SITE(Lost)
// Its remains lie further down than the part below the stack pointer that a
// function may use without saying so.
static NOINLINE void Lose(void) {
  volatile char room[300];
  room[0] = 0;
  USE(room);
  USE(Lost(110));
}
static void* Run(void* unused) {
  Lose();
  SCRUB_REGISTERS();
  Begun();
  for (volatile long i = 0;; ++i) {}
  return unused;
}
int main(void) {
  for (int i = 0; i < 3; ++i) StartThread(Run, NULL);
  AwaitBegun(3);
  return 0;
}
""")
leaking("unmapped", {"Lost": [55, 1, 0, 0]}, r"""
SITE(Lost)
static NOINLINE void Run(void) {
  void** page = (void**)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[3] = Lost(55);
  munmap(page, 4096);
}
int main(void) { Run(); return 0; }
""")
leaking("plugin", {"PluginSite": [31, 1, 0, 0]}, r"""
int main(int argc, char** argv) {
  (void)argc;
  void* plugin = dlopen(argv[1], RTLD_NOW);
  ((void (*)(size_t))dlsym(plugin, "LosePlugin"))(31);
  dlclose(plugin);
  return 0;
}
""")
leaking("closed_plugin_global", {"PluginSite": [31, 1, 0, 0]}, r"""
int main(int argc, char** argv) {
  (void)argc;
  void* plugin = dlopen(argv[1], RTLD_NOW);
  ((void (*)(size_t))dlsym(plugin, "HoldPlugin"))(31);
  dlclose(plugin);
  return 0;
}
""")
leaking("child", {"Lost": [90, 1, 0, 0]}, r"""
SITE(Lost) SITE(Kept)
static NOINLINE void Run(void) { USE(Lost(90)); }
int main(void) {
  void* volatile held = Kept(10);
  if (fork() == 0) { Run(); exit(0); }
  wait(NULL);
  USE(held);
  free(held);
  return 0;
}
""")
leaking("fiber", {"Lost": [66, 1, 0, 0]}, r"""
SITE(Lost)
static ucontext_t g_main, g_fiber;
static char g_stack[64 << 10];
static NOINLINE void Run(void) { USE(Lost(66)); }
static void Fiber(void) { Run(); exit(0); }
int main(void) {
  getcontext(&g_fiber);
  g_fiber.uc_stack.ss_sp = g_stack;
  g_fiber.uc_stack.ss_size = sizeof g_stack;
  makecontext(&g_fiber, Fiber, 0);
  swapcontext(&g_main, &g_fiber);
  return 1;
}
""")
leaking("handler_frees_another", {"Lost": [70, 1, 0, 0]}, r"""
SITE(Lost) SITE(Kept)
static void* g_kept;
static NOINLINE void Run(void) { USE(Lost(70)); }
static void Handler(void) { free(g_kept); }
int main(void) { g_kept = Kept(44); atexit(Handler); Run(); return 0; }
""")

# --- Leaks in C++ ---

CXX_PRELUDE = r"""
#include <any>
#include <deque>
#include <exception>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
"""

leaking("new", {"Run": [8, 1, 0, 0]}, r"""
static NOINLINE void Run() { USE(new long(7)); }
int main() { Run(); return 0; }
""", CXX)
leaking("new_array", {"Run": [8 + 5 * 32, 1, 0, 0]}, r"""
static NOINLINE void Run() { USE(new std::string[5]); }
int main() { Run(); return 0; }
""", CXX)
leaking("released", {"Run": [40, 1, 0, 0]}, r"""
struct Thing { long values[5]; };
static NOINLINE void Run() {
  auto owner = std::make_unique<Thing>();
  USE(owner.release());
}
int main() { Run(); return 0; }
""", CXX)
leaking("shared_circle", {"Run": [32, 1, 32, 1]}, r"""
struct Link { std::shared_ptr<Link> other; };
static NOINLINE void Run() {
  auto a = std::make_shared<Link>();
  auto b = std::make_shared<Link>();
  a->other = b;
  b->other = a;
}
int main() { Run(); return 0; }
""", CXX)
leaking("string", {"Run": [32, 1, 0, 0], "Fill": [0, 0, 101, 1]}, r"""
static NOINLINE std::string Fill() { std::string s(100, 'x'); USE(&s); return s; }
static NOINLINE void Run() { USE(new std::string(Fill())); }
int main() { Run(); return 0; }
""", CXX)
leaking("vector_of_pointers", {"Make": [120, 10, 0, 0]}, r"""
static NOINLINE int* Make() { int* p = new int[3]; USE(p); return p; }
static NOINLINE void Run() {
  std::vector<int*> all;
  for (int i = 0; i < 10; ++i) all.push_back(Make());
}
int main() { Run(); return 0; }
""", CXX)
leaking("map", {"Make": [48, 1, 0, 0], "Fill": [0, 0, 40 * 20, 20]}, r"""
using Map = std::map<int, int>;
static NOINLINE Map* Make() { Map* m = new Map; USE(m); return m; }
static NOINLINE void Fill(Map* m) { for (int i = 0; i < 20; ++i) (*m)[i] = i; USE(m); }
static NOINLINE void Run() { Fill(Make()); }
int main() { Run(); return 0; }
""", CXX)
leaking("thrown_from_constructor", {"Member": [24, 1, 0, 0]}, r"""
static NOINLINE char* Member() { char* p = new char[24]; USE(p); return p; }
struct Thing {
  char* member;
  Thing() : member(Member()) { throw 1; }
  ~Thing() { delete[] member; }
};
static NOINLINE void Run() { try { Thing thing; USE(&thing); } catch (int) {} }
int main() { Run(); return 0; }
""", CXX)
leaking("overwritten_member", {"Make": [64, 1, 0, 0]}, r"""
static NOINLINE char* Make() { char* p = new char[64]; USE(p); return p; }
struct Thing { char* member = Make(); ~Thing() { delete[] member; } };
static Thing* volatile g_thing;
int main() { g_thing = new Thing; g_thing->member = Make(); delete g_thing; g_thing = nullptr; return 0; }
""", CXX)
leaking("std_thread", {"Make": [64, 1, 0, 0]}, r"""
static NOINLINE char* Make() { char* p = new char[64]; USE(p); return p; }
int main() { std::thread([] { USE(Make()); }).join(); return 0; }
""", CXX)
leaking("static_destructor_loses_nothing", {"Make": [64, 1, 0, 0]}, r"""
static NOINLINE char* Make() { char* p = new char[64]; USE(p); return p; }
static std::vector<std::string> g_names;
static NOINLINE void Run() { USE(Make()); }
int main() { g_names.assign(50, std::string(100, 'n')); Run(); return 0; }
""", CXX)

# --- Clean programs in C ---

clean("global", r"""
SITE(Kept)
void* g_held;
int main(void) { g_held = Kept(100); return 0; }
""")
clean("static", r"""
SITE(Kept)
static NOINLINE void Run(void) { static void* held; held = Kept(100); USE(&held); }
int main(void) { Run(); return 0; }
""")
clean("chain_from_global", r"""
SITE(Kept)
struct Node* g_head;
int main(void) {
  for (int i = 0; i < 1000; ++i) {
    struct Node* node = (struct Node*)Kept(sizeof *node);
    node->next = g_head;
    g_head = node;
  }
  return 0;
}
""")
clean("interior", r"""
SITE(Kept)
char* g_middle; char* g_last;
int main(void) { g_middle = (char*)Kept(5000) + 2500; g_last = (char*)Kept(333) + 332; return 0; }
""")
clean("tagged", r"""
SITE(Kept)
uintptr_t g_low; uintptr_t g_high; uintptr_t g_boxed;
int main(void) {
  g_low = (uintptr_t)Kept(64) | 5;
  g_high = (uintptr_t)Kept(64) | (0xa5UL << 56);
  g_boxed = (uintptr_t)Kept(64) | (0xfffcUL << 48);
  return 0;
}
""")
clean("thread_local_of_main", r"""
SITE(Kept)
static __thread void* t_held;
int main(void) { t_held = Kept(100); USE(&t_held); return 0; }
""")
clean("thread_local_of_live_thread", r"""
SITE(Kept)
static __thread void* t_held;
static void* Run(void* unused) { t_held = Kept(100); USE(&t_held); Begun(); WaitForEver(); return unused; }
int main(void) { StartThread(Run, NULL); AwaitBegun(1); return 0; }
""")
clean("keys", r"""
SITE(Kept)
static pthread_key_t g_keys[100];
static void Set(void) {
  pthread_setspecific(g_keys[1], Kept(10));
  pthread_setspecific(g_keys[99], Kept(10));
}
static void* Run(void* unused) { Set(); Begun(); WaitForEver(); return unused; }
int main(void) {
  for (int i = 0; i < 100; ++i) pthread_key_create(&g_keys[i], NULL);
  Set();
  StartThread(Run, NULL);
  AwaitBegun(1);
  return 0;
}
""")
clean("stack_of_live_thread", r"""
SITE(Kept)
static void* Run(void* unused) {
  void* volatile held = Kept(100);
  Begun();
  WaitForEver();
  USE(held);
  return unused;
}
int main(void) { for (int i = 0; i < 5; ++i) StartThread(Run, NULL); AwaitBegun(5); return 0; }
""")
clean("register_of_live_thread", r"""
SITE(Kept)
static void* Run(void* unused) {
  void* held = Kept(100);
  Begun();
  for (;;) __asm__ volatile("" : "+r"(held));
  return unused;
}
int main(void) { StartThread(Run, NULL); AwaitBegun(1); return 0; }
""")
clean("vector_register_of_live_thread", r"""
SITE(Kept)
static void* Run(void* unused) {
  void* held = Kept(100);
  __asm__ volatile("movq %0, %%xmm7\n xor %0, %0\n lock incl %1\n 1: jmp 1b"
                   : "+r"(held) : "m"(g_ready) : "xmm7", "memory");
  return unused;
}
int main(void) { StartThread(Run, NULL); AwaitBegun(1); return 0; }
""")
clean("red_zone_of_live_thread", r"""
SITE(Kept)
static void* Run(void* unused) {
  void* held = Kept(100);
  __asm__ volatile("mov %0, -64(%%rsp)\n xor %0, %0\n lock incl %1\n 1: jmp 1b"
                   : "+r"(held) : "m"(g_ready) : "memory");
  return unused;
}
int main(void) { StartThread(Run, NULL); AwaitBegun(1); return 0; }
""")
clean("stack_of_main_while_thread_exits", r"""
SITE(Kept)
static void* Leave(void* unused) { (void)unused; exit(0); }
int main(void) {
  void* volatile held = Kept(40);
  pthread_join(StartThread(Leave, NULL), NULL);
  USE(held);
  return 1;
}
""")
clean("thread_with_all_signals_blocked", r"""
SITE(Kept)
static void* Run(void* unused) {
  void* volatile held = Kept(100);
  sigset_t all;
  int which;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  Begun();
  sigemptyset(&all);
  sigaddset(&all, SIGUSR2);
  sigwait(&all, &which);
  USE(held);
  return unused;
}
int main(void) { StartThread(Run, NULL); AwaitBegun(1); return 0; }
""")
clean("own_stack_of_live_thread", r"""
SITE(Kept)
static char g_below[65536] __attribute__((aligned(4096)));
static char g_stack[256 << 10] __attribute__((aligned(4096)));
static void* Run(void* unused) {
  void* volatile held = Kept(100);
  Begun();
  WaitForEver();
  USE(held);
  return unused;
}
int main(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, g_stack, sizeof g_stack);
  *(void**)(g_below + 65528) = Kept(20);
  USE(g_below);
  pthread_create(&thread, &attributes, Run, NULL);
  AwaitBegun(1);
  return 0;
}
""")
clean("argument_of_live_thread", r"""
SITE(Kept)
static void* Run(void* held) { USE(held); held = NULL; Begun(); WaitForEver(); return held; }
int main(void) { StartThread(Run, Kept(48)); AwaitBegun(1); return 0; }
""")
clean("mapping", r"""
SITE(Kept)
int main(void) {
  void** page = (void**)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[100000] = Kept(55);
  return 0;
}
""")
clean("huge_sparse_mapping", r"""
SITE(Kept)
int main(void) {
  void** page = (void**)mmap(NULL, 1UL << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  page[1UL << 32] = Kept(55);
  return 0;
}
""")
clean("read_only_mapping", r"""
SITE(Kept)
int main(void) {
  void** page = (void**)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[3] = Kept(55);
  mprotect(page, 4096, PROT_READ);
  return 0;
}
""")
clean("read_only_data", r"""
SITE(Kept)
static void* g_page[512] __attribute__((aligned(4096)));
int main(void) { g_page[9] = Kept(55); mprotect(g_page, 4096, PROT_READ); return 0; }
""")
clean("shared_mapping", r"""
SITE(Kept)
int main(void) {
  void** page = (void**)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  page[3] = Kept(55);
  return 0;
}
""")
clean("memory_file", r"""
SITE(Kept)
int main(void) {
  int file = memfd_create("held", 0);
  if (ftruncate(file, 4096) != 0) abort();
  void** page = (void**)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  page[3] = Kept(55);
  mprotect(page, 4096, PROT_READ);
  return 0;
}
""")
clean("file_cut_short", r"""
SITE(Kept)
int main(void) {
  char name[] = "/tmp/heapledger-cut-XXXXXX";
  int file = mkstemp(name);
  unlink(name);
  if (ftruncate(file, 3 * 4096) != 0) abort();
  void** page = (void**)mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  page[3] = Kept(55);
  if (ftruncate(file, 4096) != 0) abort();
  return 0;
}
""")
clean("system_v_memory", r"""
SITE(Kept)
int main(void) {
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  void** page = (void**)shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  page[3] = Kept(55);
  return 0;
}
""")
clean("child_in_large_block", r"""
SITE(Kept)
void** g_held;
int main(void) { g_held = (void**)Kept(3 << 20); g_held[300000] = Kept(90); return 0; }
""")
clean("unreadable_pages_in_block", r"""
SITE(Kept)
char* g_held;
int main(void) {
  g_held = (char*)aligned_alloc(4096, 16 * 4096);
  memset(g_held, 0, 16 * 4096);
  *(void**)(g_held + 4 * 4096) = Kept(90);
  mprotect(g_held + 8 * 4096, 4096, PROT_NONE);
  return 0;
}
""")
clean("freed_by_handler", r"""
SITE(Kept)
static uintptr_t g_disguised;
static void Handler(void) { free((void*)~g_disguised); }
int main(void) { g_disguised = ~(uintptr_t)Kept(44); atexit(Handler); return 0; }
""")
clean("exit_now", r"""
SITE(Kept)
void* g_held;
int main(void) { void* volatile local = Kept(30); g_held = Kept(40); _exit(0); USE(local); }
""")
clean("quick_exit", r"""
SITE(Kept)
void* g_held;
int main(void) { g_held = Kept(40); quick_exit(0); }
""")
clean("held_by_caller_of_exit", r"""
SITE(Kept)
static NOINLINE void Leave(void) { exit(0); }
int main(void) { void* volatile held = Kept(40); Leave(); USE(held); return 1; }
""")
clean("plugin_global", r"""
int main(int argc, char** argv) {
  (void)argc;
  void* plugin = dlopen(argv[1], RTLD_NOW);
  ((void (*)(size_t))dlsym(plugin, "HoldPlugin"))(31);
  return 0;
}
""")
clean("plugin_thread_local", r"""
static void (*g_hold)(size_t);
static void* Run(void* unused) { g_hold(32); Begun(); WaitForEver(); return unused; }
int main(int argc, char** argv) {
  (void)argc;
  g_hold = (void (*)(size_t))dlsym(dlopen(argv[1], RTLD_NOW), "HoldInThread");
  g_hold(31);
  StartThread(Run, NULL);
  AwaitBegun(1);
  return 0;
}
""")
clean("fiber_on_heap", r"""
SITE(Kept)
static ucontext_t g_main, g_fiber;
static void Fiber(void) {
  void* volatile held = Kept(66);
  swapcontext(&g_fiber, &g_main);
  USE(held);
}
int main(void) {
  getcontext(&g_fiber);
  g_fiber.uc_stack.ss_size = 64 << 10;
  g_fiber.uc_stack.ss_sp = malloc(64 << 10);
  makecontext(&g_fiber, Fiber, 0);
  swapcontext(&g_main, &g_fiber);
  return 0;
}
""")
clean("fiber_on_mapping_exits", r"""
SITE(Kept)
static ucontext_t g_main, g_fiber;
static void Fiber(void) { void* volatile held = Kept(66); exit(0); USE(held); }
int main(void) {
  void* volatile held = Kept(10);
  getcontext(&g_fiber);
  g_fiber.uc_stack.ss_size = 64 << 10;
  g_fiber.uc_stack.ss_sp = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  makecontext(&g_fiber, Fiber, 0);
  swapcontext(&g_main, &g_fiber);
  USE(held);
  return 1;
}
""")
clean("exit_on_signal_stack", r"""
SITE(Kept)
static char g_stack[64 << 10];
static void Handler(int signal) { (void)signal; exit(0); }
int main(void) {
  void* volatile held = Kept(40);
  stack_t stack = {.ss_sp = g_stack, .ss_flags = 0, .ss_size = sizeof g_stack};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = Handler;
  action.sa_flags = SA_ONSTACK;
  sigaltstack(&stack, NULL);
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  USE(held);
  return 1;
}
""")
clean("library_caches", r"""
int main(void) {
  char name[32];
  setlocale(LC_ALL, "");
  for (int i = 0; i < 50; ++i) { sprintf(name, "NAME_%d", i); setenv(name, "value", 1); }
  FILE* file = fopen("/etc/passwd", "r");
  if (file != NULL && fgets(name, sizeof name, file) == NULL) abort();
  printf("%s", "");
  strtok(name, ":");
  return 0;
}
""")
clean("main_thread_first", r"""
SITE(Kept)
void* g_kept;
static void* Last(void* unused) { usleep(50000); return unused; }
int main(void) { g_kept = Kept(10); pthread_detach(StartThread(Last, NULL)); pthread_exit(NULL); }
""")
clean("child_of_threads", r"""
SITE(Kept)
static void* Run(void* unused) {
  void* volatile held = Kept(100);
  Begun();
  WaitForEver();
  USE(held);
  return unused;
}
int main(void) {
  for (int i = 0; i < 3; ++i) StartThread(Run, NULL);
  AwaitBegun(3);
  if (fork() == 0) { free(Kept(5)); exit(0); }
  wait(NULL);
  return 0;
}
""")
clean("borrowing_child", r"""
SITE(Kept)
void* g_held;
int main(void) {
  g_held = Kept(30);
  for (int i = 0; i < 3; ++i) {
    if (vfork() == 0) _exit(0);
  }
  while (wait(NULL) > 0) {}
  return 0;
}
""")
clean("threads_that_come_and_go", r"""
SITE(Kept)
static void* Short(void* held) { free(held); return NULL; }
static void* Maker(void* unused) {
  void* volatile held = Kept(100);
  Begun();
  for (;;) {
    pthread_t thread = StartThread(Short, Kept(20));
    pthread_join(thread, NULL);
    USE(held);
  }
  return unused;
}
int main(void) { StartThread(Maker, NULL); StartThread(Maker, NULL); AwaitBegun(2); usleep(20000); return 0; }
""")
clean("threads_that_allocate", r"""
SITE(Kept)
static void* Run(void* unused) {
  Begun();
  void* volatile held[8] = {0};
  for (unsigned i = 0;; ++i) { free(held[i % 8]); held[i % 8] = Kept(i % 3000); }
  return unused;
}
int main(void) { for (int i = 0; i < 3; ++i) StartThread(Run, NULL); AwaitBegun(3); usleep(20000); return 0; }
""")

# --- Clean programs in C++ ---

clean("containers", r"""
static std::vector<std::string> g_vector(100, std::string(50, 'v'));
static std::map<int, std::string> g_map;
static std::list<long> g_list(100, 7);
static std::set<std::string> g_set;
static std::deque<int> g_deque(5000, 1);
static std::unordered_map<std::string, std::vector<int>> g_table;
int main() {
  for (int i = 0; i < 100; ++i) {
    g_map[i] = std::string(40, 'm');
    g_set.insert(std::string(30, char('a' + i % 26)));
    g_table[std::to_string(i) + std::string(40, 't')].assign(10, i);
  }
  return 0;
}
""", CXX)
clean("containers_never_destroyed", r"""
static auto* const g_map = new std::map<int, std::string>;
static auto& g_names = *new std::vector<std::string>(20, std::string(100, 'x'));
int main() { for (int i = 0; i < 100; ++i) (*g_map)[i] = std::string(40, 'm'); USE(&g_names); return 0; }
""", CXX)
clean("shared_pointer", r"""
struct Link { std::shared_ptr<Link> next; std::weak_ptr<Link> back; };
static std::shared_ptr<Link> g_head;
int main() {
  g_head = std::make_shared<Link>();
  g_head->next = std::make_shared<Link>();
  g_head->next->back = g_head;
  return 0;
}
""", CXX)
clean("second_base", r"""
struct A { virtual ~A() = default; long a[4]; };
struct B { virtual ~B() = default; long b[4]; };
struct Both : A, B {};
static B* g_held;
int main() { g_held = new Both; return 0; }
""", CXX)
clean("arrays", r"""
struct Thing { ~Thing() { USE(this); } long value; };
static Thing* g_some; static Thing* g_none;
int main() { g_some = new Thing[7]; g_none = new Thing[0]; return 0; }
""", CXX)
clean("thread_local_owner", r"""
static thread_local std::unique_ptr<std::string> t_owner;
int main() {
  t_owner = std::make_unique<std::string>(100, 'x');
  std::thread([] { t_owner = std::make_unique<std::string>(100, 'y'); }).join();
  return 0;
}
""", CXX)
clean("type_erased", r"""
static std::function<int()> g_function; static std::any g_any; static std::exception_ptr g_error;
int main() {
  std::vector<int> big(1000, 1);
  g_function = [big] { return big[3]; };
  g_any = big;
  try { throw std::string(100, 'e'); } catch (...) { g_error = std::current_exception(); }
  return 0;
}
""", CXX)
clean("detached_std_thread", r"""
int main() {
  std::thread([text = std::string(200, 't')] { Begun(); WaitForEver(); USE(&text); }).detach();
  AwaitBegun(1);
  return 0;
}
""", CXX)
clean("function_static", r"""
static std::string& Name() { static std::string name(300, 'n'); return name; }
struct AtEnd { AtEnd() { Name(); } ~AtEnd() { Name() += 'x'; } };
static AtEnd g_end;
int main() { Name(); std::cout << ""; return 0; }
""", CXX)
clean("exit_in_destructor", r"""
static std::vector<int>* g_held;
struct AtEnd { ~AtEnd() { delete g_held; _exit(0); } };
static AtEnd g_end;
int main() { g_held = new std::vector<int>(100); return 1; }
""", CXX)
