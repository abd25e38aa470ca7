// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace heapledger::collector::cli {
namespace {

constexpr int kForwarded[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                              SIGUSR1, SIGUSR2, SIGWINCH};

// Never returns. Writes errno to `report` if the program cannot be started.
[[noreturn]] void BecomeChild(
    const std::vector<std::string>& command,
    const std::map<std::string, std::string>& environment, const sigset_t& mask,
    int report) {
  for (const auto& [name, value] : environment) {
    setenv(name.c_str(), value.c_str(), 1);
  }
  setenv("HEAPLEDGER_ROOT_PID", std::to_string(getpid()).c_str(), 1);
  std::vector<char*> words;
  for (const std::string& word : command) {
    words.push_back(const_cast<char*>(word.c_str()));
  }
  words.push_back(nullptr);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execvp(words[0], words.data());
  const int error = errno;
  (void)!write(report, &error, sizeof error);
  _exit(127);
}

// What the terminal's keys send reaches the child by itself: it is in the same
// process group.
bool FromTerminal(const siginfo_t& info) { return info.si_code == SI_KERNEL; }

void Decode(int wait_status, ChildResult& result) {
  if (WIFSIGNALED(wait_status)) {
    result.signal = WTERMSIG(wait_status);
    result.status = 128 + result.signal;
  } else {
    result.status = WEXITSTATUS(wait_status);
  }
}

void Await(const sigset_t& signals, std::chrono::milliseconds interval,
           const std::function<void(pid_t)>& tick, ChildResult& result) {
  const timespec wait = {interval.count() / 1000,
                         interval.count() % 1000 * 1'000'000};
  for (;;) {
    int wait_status = 0;
    const pid_t ended = waitpid(result.pid, &wait_status, WNOHANG);
    if (ended == result.pid) return Decode(wait_status, result);
    if (ended < 0 && errno != EINTR) return;
    siginfo_t info = {};
    const int signal = sigtimedwait(&signals, &info, &wait);
    if (signal < 0) {
      if (errno == EAGAIN) tick(result.pid);
    } else if (signal != SIGCHLD && !FromTerminal(info)) {
      kill(result.pid, signal);
    }
  }
}

}  // namespace

ChildResult RunChild(const std::vector<std::string>& command,
                     const std::map<std::string, std::string>& environment,
                     std::chrono::milliseconds interval,
                     const std::function<void(pid_t)>& tick) {
  ChildResult result;
  // Blocked before the fork, so that none is lost between it and the wait.
  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (const int signal : kForwarded) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    result.start_error = errno;
    return result;
  }
  result.pid = fork();
  if (result.pid == 0) BecomeChild(command, environment, before, report[1]);
  const int fork_error = errno;
  close(report[1]);
  if (result.pid < 0) {
    result.start_error = fork_error;
  } else if (read(report[0], &result.start_error, sizeof result.start_error) >
             0) {
    waitpid(result.pid, nullptr, 0);
  } else {
    Await(signals, interval, tick, result);
  }
  close(report[0]);
  if (result.start_error != 0) {
    result.status = result.start_error == ENOENT ? 127 : 126;
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return result;
}

}  // namespace heapledger::collector::cli
