// SPDX-License-Identifier: Apache-2.0
// A cache that warms up: 6,000 keys that are asked for at random, each kept
// once it was. Two thirds of them are there after the first 40 seconds.
#include <string>
#include <unordered_map>

#include "service.h"

namespace {

std::unordered_map<std::uint64_t, std::string> g_pages;

NOINLINE void LoadPage(std::uint64_t key) {
  g_pages.emplace(key, std::string(400, 'p'));
}

NOINLINE void View(std::uint64_t key) {
  if (g_pages.find(key) == g_pages.end()) LoadPage(key);
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate views(150);
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = views.Due(now); n > 0; --n) {
      View(service::Random()() % 6'000);
    }
  });
}
