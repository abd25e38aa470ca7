// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/request_facts.h"

namespace heapledger::collector {

std::string_view AllocatorWord(Allocator allocator) {
  switch (allocator) {
    case Allocator::kGlibc:
      return "glibc";
    case Allocator::kJemalloc:
      return "jemalloc";
    case Allocator::kTcmalloc:
      return "tcmalloc";
    case Allocator::kMimalloc:
      return "mimalloc";
    case Allocator::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view TrimAskerWord(TrimAsker asker) {
  switch (asker) {
    case TrimAsker::kUser:
      return "user";
    case TrimAsker::kCollector:
      return "collector";
    case TrimAsker::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view TrimResultWord(TrimResult result) {
  switch (result) {
    case TrimResult::kNone:
      return "none";
    case TrimResult::kReturned:
      return "returned";
    case TrimResult::kNothing:
      return "nothing";
    case TrimResult::kDone:
      return "done";
    case TrimResult::kFailed:
      return "failed";
    case TrimResult::kTooSoon:
      return "too_soon";
    case TrimResult::kSealed:
      return "sealed";
    case TrimResult::kInHandler:
      return "in_handler";
    case TrimResult::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view TrimRefusalText(TrimResult refusal) {
  switch (refusal) {
    case TrimResult::kTooSoon:
      return "it was trimmed a moment ago, and is so no more than once a "
             "second, nor for more than a tenth of the time";
    case TrimResult::kSealed:
      return "the program gave up system calls (seccomp)";
    case TrimResult::kInHandler:
      return "it allocated in a signal handler, where its allocator must be "
             "left alone";
    default:
      break;
  }
  return "for a reason that this heapledger does not know";
}

std::string_view PressureWord(PressureLevel level) {
  switch (level) {
    case PressureLevel::kLow:
      return "low";
    case PressureLevel::kMedium:
      return "medium";
    case PressureLevel::kHigh:
      return "high";
    case PressureLevel::kCritical:
      return "critical";
    case PressureLevel::kOver:
      return "over";
    case PressureLevel::kNotAsked:
      break;
  }
  return "none";
}

}  // namespace heapledger::collector
