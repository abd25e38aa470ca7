# SPDX-License-Identifier: Apache-2.0
"""Programs in families: every way to allocate below every kind of root, each
once held to the end (clean) and once let go (leak).

Like corpus.py's: (name, language, losses, source). A loss of None: one direct
block of the allocator's own size, and what hangs below it.
"""

from corpus import C, CXX

# --- C: ways to allocate. Each is a function Site that returns a block of 40
# bytes or so, and the bytes that it takes.
ALLOCATORS = {
    "malloc": ("void* block = malloc(40);", 40),
    "malloc_large": ("void* block = malloc(300000);", 300000),
    "malloc_tiny": ("void* block = malloc(1);", 1),
    "calloc": ("void* block = calloc(4, 12);", 48),
    "realloc_grown": ("void* block = realloc(malloc(8), 5000);", 5000),
    "realloc_of_null": ("void* block = realloc(NULL, 33);", 33),
    "reallocarray": ("void* block = reallocarray(NULL, 5, 9);", 45),
    "posix_memalign": ("void* block; if (posix_memalign(&block, 64, 70)) abort();", 70),
    "aligned_alloc": ("void* block = aligned_alloc(256, 512);", 512),
    "memalign": ("void* block = memalign(4096, 100);", 100),
    "strdup": ('void* block = strdup("twelve bytes");', 13),
    "strndup": ('void* block = strndup("no more than nine", 9);', 10),
    "shrunk": ("void* block = realloc(malloc(4000), 24);", 24),
}

# --- C: kinds of roots, none of which a compiler may take for unused:
# declarations, how a block is held and how it is let go.
ROOTS = {
    "global": ("void* g_root;", "g_root = block;", "g_root = NULL;"),
    "array": ("void* g_root[4000];", "g_root[3999] = block;", "g_root[3999] = NULL;"),
    "initialised": ("struct { long n; void* p; } g_root = {7, &g_root};", "g_root.p = block;", "g_root.p = NULL;"),
    "static_local": ("void** NOINLINE Root(void) { static void* root; return &root; }", "*Root() = block;", "*Root() = NULL;"),
    "heap": ("void** g_root;", "g_root = calloc(3, 8); g_root[2] = block;", "g_root[2] = NULL;"),
    "two_hops": ("void*** g_root;", "g_root = calloc(2, 8); g_root[1] = calloc(2, 8); g_root[1][1] = block;", "g_root[1][1] = NULL;"),
    "interior": ("char* g_root;", "g_root = (char*)block + Last;", "g_root = NULL;"),
    "tagged": ("uintptr_t g_root;", "g_root = (uintptr_t)block | (Last ? 1 : 0);", "g_root = 0;"),
    "mapping": ("void** g_root;", "g_root = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); g_root[600] = block;", "g_root[600] = NULL;"),
    "read_only": ("void** g_root;", "g_root = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); g_root[9] = block; mprotect(g_root, 4096, PROT_READ);", "mprotect(g_root, 4096, PROT_READ | PROT_WRITE); g_root[9] = NULL;"),
    "shared": ("void** g_root;", "g_root = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); g_root[9] = block;", "g_root[9] = NULL;"),
    "memory_file": ("void** g_root;", "int f = memfd_create(\"root\", 0); if (ftruncate(f, 4096)) abort(); g_root = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0); close(f); g_root[9] = block;", "g_root[9] = NULL;"),
    "thread_local": ("__thread void* t_root;", "t_root = block;", "t_root = NULL;"),
    "key": ("pthread_key_t g_key;", "pthread_key_create(&g_key, NULL); pthread_setspecific(g_key, block);", "pthread_setspecific(g_key, NULL);"),
    "list": ("struct Node* g_root;", "for (int i = 0; i < 20; ++i) { struct Node* node = calloc(1, sizeof *node); node->next = g_root; node->payload[0] = i == 0 ? (long)block : 0; g_root = node; }", "for (struct Node* node = g_root; node; node = node->next) node->payload[0] = 0;"),
    "ring": ("struct Node* g_root;", "g_root = calloc(1, sizeof *g_root); g_root->next = calloc(1, sizeof *g_root); g_root->next->next = g_root; g_root->next->payload[1] = (long)block;", "g_root->next->payload[1] = 0;"),
}

# --- C: who runs it.
RUNNERS = {
    "": "int main(void) { Run(); return 0; }",
    "exit": "int main(void) { Run(); exit(0); }",
    "quick_exit": "int main(void) { Run(); quick_exit(0); }",
    "_exit": "int main(void) { Run(); _exit(0); }",
    "thread": """void* Body(void* unused) { Run(); return unused; }
int main(void) { pthread_join(StartThread(Body, NULL), NULL); return 0; }""",
}

C_SOURCE = """
#include <malloc.h>
static NOINLINE void* Site(void) {
  %(allocate)s
  USE(block);
  return block;
}
enum { Last = %(last)d };
%(declare)s
static NOINLINE void Run(void) {
  void* block = Site();
  %(hold)s
  %(release)s
  USE(&block);
}
%(runner)s
"""

# --- C++: what is made by new, and holds more.
OBJECTS = {
    "int": "new int(7)",
    "int_array": "new int[20]()",
    "object": "new std::pair<long, long>(1, 2)",
    "array_of_destructible": "new std::string[5]",
    "string": "new std::string(100, 'x')",
    "vector": "new std::vector<int>(100, 3)",
    "vector_of_strings": "new std::vector<std::string>(10, std::string(50, 'y'))",
    "map": "new std::map<int, std::string>{{1, std::string(40, 'a')}, {2, std::string(40, 'b')}}",
    "list": "new std::list<long>(10, 4)",
    "deque": "new std::deque<int>(500, 5)",
    "set": "new std::set<std::string>{std::string(40, 'c'), std::string(40, 'd')}",
    "unordered_map": "new std::unordered_map<int, int>{{1, 2}, {3, 4}}",
    "function": "new std::function<int()>([big = std::vector<int>(50, 1)] { return big[0]; })",
    "any": "new std::any(std::string(60, 'z'))",
    "shared": "new std::shared_ptr<long>(new long(5))",
    "unique": "new std::unique_ptr<std::string>(new std::string(70, 'u'))",
}
CXX_ROOTS = {
    "global": ("void* g_root;", "g_root"),
    "thread_local": ("thread_local void* t_root;", "t_root"),
    "unique_ptr": ("struct Holder { void* at; }; std::unique_ptr<Holder> g_holder = std::make_unique<Holder>();", "g_holder->at"),
    "vector": ("static std::vector<void*>& Roots() { static auto* roots = new std::vector<void*>(9); return *roots; }", "Roots()[8]"),
}
CXX_SOURCE = """
static NOINLINE void* Site() {
  void* object = %(make)s;
  USE(object);
  return object;
}
%(declare)s
static NOINLINE void Run() {
  %(root)s = Site();
  %(release)s
}
int main() { Run(); return 0; }
"""


def _c(allocator, root, runner, leaks):
    allocate, size = ALLOCATORS[allocator]
    declare, hold, release = ROOTS[root]
    return C_SOURCE % {
        "allocate": allocate, "last": size - 1, "declare": declare,
        "hold": hold, "release": release if leaks else "",
        "runner": RUNNERS[runner]}


def _pairs():
    for root in ROOTS:
        for allocator in ALLOCATORS:
            yield f"{allocator}_below_{root}", C, (allocator, root, "")
    for root in ROOTS:
        for runner in RUNNERS:
            # A thread's own root ends with it.
            if runner and not (runner == "thread"
                               and root in ("thread_local", "key")):
                yield f"{root}_then_{runner}", C, ("malloc", root, runner)
    for root in CXX_ROOTS:
        for made in OBJECTS:
            yield f"{made}_below_{root}", CXX, (made, root)


def _programs():
    for name, language, what in _pairs():
        for leaks in (True, False):
            if language == C:
                source = _c(*what, leaks)
                losses = {"Site": [ALLOCATORS[what[0]][1], 1, 0, 0]}
            else:
                made, root = what
                declare, place = CXX_ROOTS[root]
                source = CXX_SOURCE % {
                    "make": OBJECTS[made], "declare": declare, "root": place,
                    "release": f"{place} = nullptr;" if leaks else ""}
                losses = {"Site": None}
            yield (("leak_" if leaks else "clean_") + name, language,
                   losses if leaks else {}, source)


PROGRAMS = list(_programs())
