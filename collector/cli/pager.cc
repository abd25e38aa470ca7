// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/pager.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace heapledger::collector::cli {
namespace {

bool ThroughPager(std::string_view text) {
  const char* const pager = getenv("PAGER");
  if (pager == nullptr || *pager == '\0' || isatty(STDOUT_FILENO) == 0) {
    return false;
  }
  // Who leaves the pager before the end closes the pipe on us.
  const auto before = signal(SIGPIPE, SIG_IGN);
  FILE* const pipe = popen(pager, "we");
  bool shown = pipe != nullptr;
  if (shown) {
    fwrite(text.data(), 1, text.size(), pipe);
    constexpr int kNotFound = 127;
    const int status = pclose(pipe);
    shown = !(WIFEXITED(status) && WEXITSTATUS(status) == kNotFound);
  }
  signal(SIGPIPE, before);
  return shown;
}

}  // namespace

void Page(std::string_view text) {
  if (!ThroughPager(text)) fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace heapledger::collector::cli
