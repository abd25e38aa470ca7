// SPDX-License-Identifier: Apache-2.0
#include "collector/response/hook.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "collector/response/descriptor.h"

namespace heapledger::collector::response {
namespace {

using Clock = std::chrono::steady_clock;

// Between asking the group to end and ending it.
constexpr std::chrono::milliseconds kGrace{500};
// How long a pipe is read that what the command left behind holds open.
constexpr std::chrono::milliseconds kLinger{100};

absl::Status CheckFile(const std::string& path) {
  struct stat file = {};
  if (::stat(path.c_str(), &file) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("run ", path));
  }
  if (!S_ISREG(file.st_mode) || (file.st_mode & 0111) == 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("run ", path, ": it is no program"));
  }
  if ((file.st_mode & S_IWOTH) != 0 ||
      (file.st_uid != 0 && file.st_uid != ::geteuid())) {
    return absl::PermissionDeniedError(absl::StrCat(
        "run ", path,
        ": somebody else may change it; it has to be ours or root's and not "
        "writable for all"));
  }
  return absl::OkStatus();
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// Starts the command with `output` as its stdout and stderr; its pid.
absl::StatusOr<pid_t> Spawn(const HookRequest& request, int output) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  const absl::Cleanup free_them = [&] {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  };
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, 1);
  posix_spawn_file_actions_adddup2(&files, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawn_file_actions_addchdir_np(&files, "/");
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF |
                                            POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, request.command.front().c_str(), &files,
                                &attributes, Pointers(request.command).data(),
                                Pointers(request.environment).data());
  if (error == 0) return pid;
  return absl::ErrnoToStatus(error,
                             absl::StrCat("run ", request.command.front()));
}

int Left(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 1000));
}

// The child is not waited for before End(), so its group's number stays its
// own.
class Child {
 public:
  Child(pid_t pid, Descriptor output, const HookRequest& request)
      : pid_(pid),
        handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
        output_(std::move(output)),
        request_(request) {}

  HookEnd Watch() {
    HookEnd end;
    if (!Follow(Clock::now() + request_.timeout, end)) {
      end.timed_out = true;
      ::kill(-pid_, SIGTERM);
      if (!Follow(Clock::now() + kGrace, end)) ::kill(-pid_, SIGKILL);
    } else {
      Drain(end);
    }
    // What it left in its group ends with it.
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    end.status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return end;
  }

 private:
  // Whether the command ended before the deadline.
  bool Follow(Clock::time_point deadline, HookEnd& end) {
    while (Clock::now() < deadline) {
      pollfd polled[2] = {{handle_.get(), POLLIN, 0},
                          {output_.get(), POLLIN, 0}};
      (void)::poll(polled, 2, Left(deadline));
      if (polled[1].revents != 0) ReadSome(end);
      if (polled[0].revents != 0) return true;
    }
    return false;
  }

  void Drain(HookEnd& end) {
    const auto deadline = Clock::now() + kLinger;
    while (output_.ok() && Clock::now() < deadline) {
      pollfd polled = {output_.get(), POLLIN, 0};
      if (::poll(&polled, 1, 0) <= 0) return;
      ReadSome(end);
    }
  }

  void ReadSome(HookEnd& end) {
    char buffer[65536];
    const ssize_t count = ::read(output_.get(), buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) return output_.Close();  // poll() passes over -1.
    const std::size_t size = static_cast<std::size_t>(count);
    const std::size_t kept =
        std::min(size, request_.max_output - end.output.size());
    end.output.append(buffer, kept);
    end.cut |= kept < size;
  }

  const pid_t pid_;
  const Descriptor handle_;
  Descriptor output_;
  const HookRequest& request_;
};

}  // namespace

absl::StatusOr<HookEnd> RunHook(const HookRequest& request) {
  if (absl::Status ok = CheckFile(request.command.front()); !ok.ok()) return ok;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "make a pipe");
  }
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  const auto pid = Spawn(request, theirs.get());
  if (!pid.ok()) return pid.status();
  theirs.Close();
  return Child(*pid, std::move(ours), request).Watch();
}

}  // namespace heapledger::collector::response
