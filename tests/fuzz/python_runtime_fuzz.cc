// SPDX-License-Identifier: Apache-2.0
// Any bytes as a process that is taken for CPython: its mappings, as /proc has
// them, and its memory. The first byte says what the version is taken for, the
// second where the input is split into the two.
//
// The memory repeats itself over the whole address space, so that every address
// leads somewhere.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "collector/python/locate.h"
#include "collector/python/runtime_reader.h"

namespace {

using heapledger::collector::PythonVersion;
namespace python = heapledger::collector::python;

class EndlessMemory final : public python::Memory {
 public:
  EndlessMemory(const std::uint8_t* data, std::size_t size)
      : data_(data), size_(size) {}

  absl::Status Read(std::uint64_t address,
                    std::span<std::byte> to) const override {
    // As the kernel has it: the last page is nobody's.
    if (size_ == 0 || address > ~std::uint64_t{0} - 4096) {
      return absl::OutOfRangeError("not mapped");
    }
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = std::byte{data_[(address + i) % size_]};
    }
    return absl::OkStatus();
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size < 2) return 0;
  const PythonVersion version{3, data[0] % 16U, 0};
  const std::size_t split = (size - 2) * data[1] / 255;
  const std::string_view maps(reinterpret_cast<const char*>(data + 2), split);
  const auto candidate = python::FindCandidate(maps, "/bin/p");
  if (candidate && candidate->path.empty()) std::abort();
  (void)python::VersionInName(maps);
  const EndlessMemory memory(data + 2 + split, size - 2 - split);
  const auto runtime = python::ReadRuntime(memory, 0, version);
  if (!runtime.ok()) return 0;
  if (runtime->interpreters == 0 ||
      runtime->interpreters > python::kMostInterpreters) {
    std::abort();
  }
  for (const auto& generation : runtime->generations) {
    if (generation.collections > std::uint64_t{1} << 56) std::abort();
  }
  return 0;
}
