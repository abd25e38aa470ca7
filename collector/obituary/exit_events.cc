// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/exit_events.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

namespace heapledger::collector::obituary {
namespace {

constexpr int kBufferBytes = 1 << 20;
constexpr int kAnswerMs = 50;

// struct proc_input of Linux 6.6; a kernel before it takes no message of this
// length, and does not answer.
struct ProcInput {
  proc_cn_mcast_op operation;
  std::uint32_t events;
};
constexpr std::uint32_t kExitEvent = 0x80000000;
static_assert(kExitEvent == proc_event::PROC_EVENT_EXIT);

std::uint64_t ClockNs(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

ExitEvents::~ExitEvents() { close(socket_); }

std::unique_ptr<ExitEvents> ExitEvents::Listen() {
  const int descriptor = socket(
      PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
  if (descriptor < 0) return nullptr;
  std::unique_ptr<ExitEvents> events(new ExitEvents(descriptor));
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
  if (events->Subscribe(/*only_ends=*/true)) return events;
  if (events->Subscribe(/*only_ends=*/false)) return events;
  return nullptr;
}

bool ExitEvents::Subscribe(bool only_ends) {
  const ProcInput input = {PROC_CN_MCAST_LISTEN, kExitEvent};
  const std::size_t input_bytes =
      only_ends ? sizeof input : sizeof input.operation;
  cn_msg message = {};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.len = static_cast<std::uint16_t>(input_bytes);
  nlmsghdr header = {};
  header.nlmsg_type = NLMSG_DONE;
  header.nlmsg_len =
      static_cast<std::uint32_t>(sizeof header + sizeof message + input_bytes);
  char request[sizeof header + sizeof message + sizeof input];
  std::memcpy(request, &header, sizeof header);
  std::memcpy(request + sizeof header, &message, sizeof message);
  std::memcpy(request + sizeof header + sizeof message, &input, input_bytes);
  if (send(socket_, request, header.nlmsg_len, 0) !=
      static_cast<ssize_t>(header.nlmsg_len)) {
    return false;
  }
  pollfd wait = {socket_, POLLIN, 0};
  while (!acknowledged_) {
    if (poll(&wait, 1, kAnswerMs) <= 0) return false;
    Take();
  }
  return true;
}

void ExitEvents::Take() {
  alignas(nlmsghdr) char buffer[8192];
  for (;;) {
    const ssize_t size = recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) {
      TakeMessages(buffer, static_cast<std::size_t>(size));
    } else if (size == 0 || (errno != EINTR && errno != ENOBUFS)) {
      return;
    }
  }
}

void ExitEvents::TakeMessages(const char* data, std::size_t size) {
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

void ExitEvents::TakeEvent(const char* data) {
  proc_event event;
  std::memcpy(&event, data, sizeof event);
  if (event.what == proc_event::PROC_EVENT_NONE) {
    if (event.event_data.ack.err == 0) acknowledged_ = true;
    return;
  }
  if (event.what != proc_event::PROC_EVENT_EXIT) return;
  const auto& exit = event.event_data.exit;
  if (exit.process_pid != exit.process_tgid) return;  // a thread
  if (ended_.size() == kMaxRemembered) ended_.pop_front();
  // The kernel's time is monotonic.
  const std::uint64_t ago = ClockNs(CLOCK_MONOTONIC) - event.timestamp_ns;
  ended_.push_back({static_cast<std::uint32_t>(exit.process_tgid),
                    static_cast<int>(exit.exit_code),
                    ClockNs(CLOCK_REALTIME) - ago});
}

std::optional<SeenExit> ExitEvents::Find(std::uint32_t pid,
                                         std::uint64_t since_ns) const {
  for (auto it = ended_.rbegin(); it != ended_.rend(); ++it) {
    if (it->pid != pid || it->noticed_ns < since_ns) continue;
    return SeenExit{it->noticed_ns,
                    WaitStatus{it->status, "the kernel (process connector)"}};
  }
  return std::nullopt;
}

}  // namespace heapledger::collector::obituary
