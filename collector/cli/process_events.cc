// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/process_events.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

// Room for a burst of some ten thousand starts; less where we are not root.
constexpr int kBufferBytes = 32 << 20;
// The kernel answers at once, but may find no memory for it.
constexpr int kAnswerMs = 50;
constexpr int kAttempts = 3;

// PROC_PID_INIT_INO of include/linux/proc_ns.h: elsewhere it never answers.
bool InFirstPidNamespace() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/ns/pid", error) ==
         "pid:[4026531836]";
}

bool Subscribe(int socket) {
  const proc_cn_mcast_op operation = PROC_CN_MCAST_LISTEN;
  cn_msg message = {};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.len = sizeof operation;
  nlmsghdr header = {};
  header.nlmsg_type = NLMSG_DONE;
  header.nlmsg_len = sizeof header + sizeof message + sizeof operation;
  char request[sizeof header + sizeof message + sizeof operation];
  std::memcpy(request, &header, sizeof header);
  std::memcpy(request + sizeof header, &message, sizeof message);
  std::memcpy(request + sizeof header + sizeof message, &operation,
              sizeof operation);
  return send(socket, request, sizeof request, 0) ==
         static_cast<ssize_t>(sizeof request);
}

std::string ProgramOf(std::uint32_t pid) {
  std::error_code gone;
  return std::filesystem::read_symlink(absl::StrCat("/proc/", pid, "/exe"),
                                       gone)
      .string();
}

// What a process is still called when nobody has waited for it yet.
std::string ShortNameOf(std::uint32_t pid) {
  const auto stat = ReadProcessStat("/proc", pid);
  return stat ? stat->comm : "";
}

}  // namespace

ProcessEvents::ProcessEvents(int socket) : socket_(socket) {
  tree_.insert(static_cast<std::uint32_t>(getpid()));
}

ProcessEvents::~ProcessEvents() { close(socket_); }

std::unique_ptr<ProcessEvents> ProcessEvents::Listen() {
  if (!InFirstPidNamespace()) return nullptr;
  const int descriptor = socket(
      PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
  if (descriptor < 0) return nullptr;
  std::unique_ptr<ProcessEvents> events(new ProcessEvents(descriptor));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) !=
      0) {
    return nullptr;
  }
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes,
                 sizeof kBufferBytes) != 0) {
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kBufferBytes,
                     sizeof kBufferBytes);
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (!Subscribe(descriptor)) return nullptr;
    if (events->Acknowledged()) return events;
  }
  return nullptr;
}

bool ProcessEvents::Acknowledged() {
  pollfd wait = {socket_, POLLIN, 0};
  while (!acknowledged_) {
    if (poll(&wait, 1, kAnswerMs) <= 0) return false;
    Take();
  }
  return true;
}

void ProcessEvents::Take() {
  alignas(nlmsghdr) char buffer[8192];
  for (;;) {
    const ssize_t size = recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) {
      TakeMessages(buffer, static_cast<std::size_t>(size));
    } else if (size < 0 && errno == ENOBUFS) {
      lost_ = true;
    } else if (size == 0 || errno != EINTR) {
      return;
    }
  }
}

void ProcessEvents::TakeMessages(const char* data, std::size_t size) {
  constexpr std::size_t kHeaders = NLMSG_HDRLEN + sizeof(cn_msg);
  while (size >= kHeaders + sizeof(proc_event)) {
    nlmsghdr header;
    std::memcpy(&header, data, sizeof header);
    if (header.nlmsg_len < kHeaders + sizeof(proc_event) ||
        header.nlmsg_len > size) {
      return;
    }
    TakeEvent(data + kHeaders);
    const std::size_t step = NLMSG_ALIGN(header.nlmsg_len);
    if (step >= size) return;
    data += step;
    size -= step;
  }
}

void ProcessEvents::TakeEvent(const char* data) {
  proc_event event;
  std::memcpy(&event, data, sizeof event);
  if (event.what == proc_event::PROC_EVENT_NONE) {
    if (event.event_data.ack.err == 0) acknowledged_ = true;
    return;
  }
  if (event.what == proc_event::PROC_EVENT_FORK) {
    const auto& fork = event.event_data.fork;
    if (fork.child_pid != fork.child_tgid) return;  // a thread
    if (!tree_.contains(static_cast<std::uint32_t>(fork.parent_tgid))) return;
    tree_.insert(static_cast<std::uint32_t>(fork.child_tgid));
    running_.insert(static_cast<std::uint32_t>(fork.child_tgid));
  } else if (event.what == proc_event::PROC_EVENT_EXEC) {
    const auto pid =
        static_cast<std::uint32_t>(event.event_data.exec.process_tgid);
    if (!tree_.contains(pid)) return;
    SeenImage image{pid, event.timestamp_ns, ProgramOf(pid), ""};
    if (image.program.empty()) image.short_name = ShortNameOf(pid);
    images_.push_back(std::move(image));
  } else if (event.what == proc_event::PROC_EVENT_EXIT) {
    const auto& exit = event.event_data.exit;
    if (exit.process_pid != exit.process_tgid) return;  // a thread
    running_.erase(static_cast<std::uint32_t>(exit.process_tgid));
  }
}

}  // namespace heapledger::collector::cli
