// SPDX-License-Identifier: Apache-2.0
// A cache without bound: every question is new, and every answer is kept.
#include <string>
#include <unordered_map>

#include "service.h"

namespace {

std::unordered_map<std::uint64_t, std::string> g_answers;

NOINLINE void RememberAnswer(std::uint64_t question) {
  g_answers.emplace(question, std::string(80, 'a'));
}

NOINLINE void Ask(std::uint64_t question) {
  if (g_answers.find(question) == g_answers.end()) RememberAnswer(question);
}

}  // namespace

int main(int argc, char** argv) {
  // So that its table never grows: what leaks are the answers.
  g_answers.reserve(1 << 20);
  service::Rate questions(200);
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = questions.Due(now); n > 0; --n) {
      Ask(service::Random()());
    }
  });
}
