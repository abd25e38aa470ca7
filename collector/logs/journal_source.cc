// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/journal_source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/logs/line_splitter.h"

namespace heapledger::collector::logs {
namespace {

using Clock = std::chrono::steady_clock;

// An entry of kilobytes of JSON is one whose message says little about memory.
constexpr std::size_t kMaxEntryBytes = 65536;
constexpr std::chrono::seconds kRestartAfter{10};

// The child's signals are as a shell would give it: we block and ignore some.
class SpawnSetup {
 public:
  explicit SpawnSetup(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, 1);
    posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  int Spawn(pid_t* pid, const std::string& program,
            const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const std::string& word : words) {
      argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    return posix_spawnp(pid, program.c_str(), &actions_, &attributes_,
                        argv.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

class JournalSource final : public LogSource {
 public:
  JournalSource(ReadFrom from, std::string program)
      : program_(std::move(program)), from_(from), splitter_(kMaxEntryBytes) {
    state_.name = "journal";
    Start();
  }
  ~JournalSource() override { End(); }
  JournalSource(const JournalSource&) = delete;
  JournalSource& operator=(const JournalSource&) = delete;

  bool Poll(std::size_t budget_bytes, const LineSink& sink) override {
    if (output_ < 0) {
      if (Clock::now() < next_start_) return false;
      Start();
      if (output_ < 0) return false;
    }
    char buffer[16384];
    std::size_t taken = 0;
    while (taken < budget_bytes) {
      const ssize_t size = read(output_, buffer, sizeof buffer);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return false;
      if (size <= 0) {
        End();
        state_.readable = false;
        state_.problem =
            absl::StrCat(program_, " ended; it is started again in ",
                         kRestartAfter.count(), " s");
        // What comes until then is missed: from the start, everything would
        // be told twice.
        from_ = ReadFrom::kEnd;
        next_start_ = Clock::now() + kRestartAfter;
        return false;
      }
      taken += static_cast<std::size_t>(size);
      splitter_.Feed(
          {buffer, static_cast<std::size_t>(size)},
          [this, &sink](std::string_view line) { PassOn(line, sink); });
      state_.cut = splitter_.cut_lines();
    }
    return true;
  }

  SourceState state() const override { return state_; }

 private:
  void PassOn(std::string_view line, const LineSink& sink) {
    const auto entry = ParseJournalEntry(line);
    if (!entry) return;
    ++state_.lines;
    sink({entry->program, entry->pid, entry->text, entry->realtime_ns});
  }

  void Start() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return Fail(errno);
    const std::vector<std::string> words = {
        program_,
        "--follow",
        "--output=json",
        "--no-pager",
        from_ == ReadFrom::kEnd ? "--lines=0" : "--no-tail",
        "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM,_PID,_TRANSPORT"};
    const int error = SpawnSetup(ends[1]).Spawn(&child_, program_, words);
    close(ends[1]);
    if (error != 0) {
      close(ends[0]);
      child_ = -1;
      return Fail(error);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    output_ = ends[0];
    state_.readable = true;
    state_.problem.clear();
  }

  void Fail(int error) {
    char buffer[128];
    state_.readable = false;
    state_.problem = absl::StrCat("cannot start ", program_, ": ",
                                  strerror_r(error, buffer, sizeof buffer),
                                  "; install systemd or follow kmsg instead");
    next_start_ = Clock::now() + kRestartAfter;
  }

  void End() {
    splitter_.Drop();
    if (output_ >= 0) close(output_);
    output_ = -1;
    if (child_ <= 0) return;
    kill(child_, SIGKILL);  // it has nothing to save
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
  }

  const std::string program_;
  ReadFrom from_;
  LineSplitter splitter_;
  SourceState state_;
  pid_t child_ = -1;
  int output_ = -1;
  Clock::time_point next_start_{};
};

}  // namespace

std::unique_ptr<LogSource> MakeJournalSource(ReadFrom from,
                                             const std::string& program) {
  return std::make_unique<JournalSource>(from, program);
}

}  // namespace heapledger::collector::logs
