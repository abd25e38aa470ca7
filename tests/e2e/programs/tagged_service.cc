// SPDX-License-Identifier: Apache-2.0
// A service of several tenants over threads that says of itself what each
// tenant holds: "tenant NAME bytes objects" for every tenant, after each line
// that it is given; ends with its input. What it allocates for an application's
// parts has their tags: one of each that heapledger knows a metric for.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "heapledger/heapledger.h"

namespace {

constexpr int kTenants = 5;
constexpr int kThreads = 6;
const char* const kNames[kTenants] = {"acme", "globex", "initech", "umbrella",
                                      "w\xc3\xa4rme"};

struct Tenant {
  heapledger::Tag tag;
  std::atomic<long> bytes{0};
  std::atomic<long> objects{0};
};
Tenant g_tenants[kTenants];

struct Block {
  int tenant;
  std::size_t bytes;
};

Block* Serve(int tenant, std::size_t bytes) {
  const heapledger::TagScope scope(g_tenants[tenant].tag);
  auto* const block = static_cast<Block*>(std::malloc(bytes));
  *block = {tenant, bytes};
  g_tenants[tenant].bytes += static_cast<long>(bytes);
  g_tenants[tenant].objects += 1;
  return block;
}

void Forget(Block* block) {
  if (block == nullptr) return;
  g_tenants[block->tenant].bytes -= static_cast<long>(block->bytes);
  g_tenants[block->tenant].objects -= 1;
  std::free(block);
}

// Blocks that any thread may free.
std::mutex g_mutex;
std::vector<Block*> g_shared;

void Work(unsigned seed) {
  for (int i = 0; i < 4000; ++i) {
    seed = seed * 1664525 + 1013904223;
    Block* const block = Serve(static_cast<int>((seed >> 8) % kTenants),
                               sizeof(Block) + (seed >> 16) % 3000);
    Block* old = nullptr;
    {
      const std::lock_guard lock(g_mutex);
      Block*& place = g_shared[(seed >> 12) % g_shared.size()];
      old = place;
      place = block;
    }
    Forget(old);
  }
}

void* Held(heapledger::Tag tag, std::size_t bytes) {
  const heapledger::AdoptedTag scope(tag);
  return std::malloc(bytes);
}

void Say() {
  for (int i = 0; i < kTenants; ++i) {
    std::printf("tenant %s %ld %ld\n", kNames[i], g_tenants[i].bytes.load(),
                g_tenants[i].objects.load());
  }
  std::puts("end");
  std::fflush(stdout);
}

}  // namespace

int main() {
  for (int i = 0; i < kTenants; ++i) {
    g_tenants[i].tag = heapledger::Tag("tenant", {{"tenant", kNames[i]}});
  }
  g_shared.resize(997);
  std::vector<void*> parts;
  using heapledger::Tag;
  parts.push_back(Held(Tag("expert", {{"expert_type", "claude"}}), 1000));
  parts.push_back(Held(Tag("expert", {{"expert_type", "local"}}), 1100));
  parts.push_back(Held(Tag("mcp_server", {{"server_name", "files"}}), 1200));
  parts.push_back(Held(Tag("database_connection_pool"), 1300));
  parts.push_back(Held(Tag("cache", {{"cache_type", "prompt"}}), 1400));
  const Tag connection("websocket_connection");
  const heapledger::TaggedThing first(connection);
  const heapledger::TaggedThing second(connection);
  parts.push_back(Held(connection, 1500));
  const heapledger::TagScope request{Tag("active_request")};
  parts.push_back(std::malloc(1600));

  char line[80];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back(Work, i * 77);
    for (std::thread& thread : threads) thread.join();
    Say();
  }
  for (void* const part : parts) std::free(part);
  return 0;
}
