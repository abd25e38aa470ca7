// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
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
bool FromTerminal(const signalfd_siginfo& info) {
  return info.ssi_code == SI_KERNEL;
}

void Decode(int wait_status, ChildResult& result) {
  if (WIFSIGNALED(wait_status)) {
    result.signal = WTERMSIG(wait_status);
    result.status = 128 + result.signal;
  } else {
    result.status = WEXITSTATUS(wait_status);
  }
}

// Passes on what came in.
void Forward(int signals, pid_t child) {
  signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == sizeof info) {
    const auto signal = static_cast<int>(info.ssi_signo);
    if (signal != SIGCHLD && !FromTerminal(info)) kill(child, signal);
  }
}

void Await(int signals, const Meanwhile& meanwhile, ChildResult& result) {
  pollfd waits[] = {{signals, POLLIN, 0}, {meanwhile.wake, POLLIN, 0}};
  for (;;) {
    const int ready = poll(waits, 2, static_cast<int>(meanwhile.every.count()));
    Forward(signals, result.pid);
    if (ready == 0 || (ready > 0 && waits[1].revents != 0)) {
      meanwhile.tick(result.pid);
    }
    // After the tick, which may want to look at a program that has ended.
    int wait_status = 0;
    const pid_t ended = waitpid(result.pid, &wait_status, WNOHANG);
    if (ended == result.pid) return Decode(wait_status, result);
    if (ended < 0 && errno != EINTR) return;
  }
}

}  // namespace

ChildResult RunChild(const std::vector<std::string>& command,
                     const std::map<std::string, std::string>& environment,
                     const Meanwhile& meanwhile) {
  ChildResult result;
  // Blocked before the fork, so that none is lost between it and the wait.
  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (const int signal : kForwarded) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  const int arrived = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  int report[2] = {-1, -1};
  if (arrived < 0 || pipe2(report, O_CLOEXEC) != 0) {
    result.start_error = errno;
    if (arrived >= 0) close(arrived);
    sigprocmask(SIG_SETMASK, &before, nullptr);
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
    Await(arrived, meanwhile, result);
  }
  close(report[0]);
  close(arrived);
  if (result.start_error != 0) {
    result.status = result.start_error == ENOENT ? 127 : 126;
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return result;
}

}  // namespace heapledger::collector::cli
