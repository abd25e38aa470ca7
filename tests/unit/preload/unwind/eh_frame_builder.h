// SPDX-License-Identifier: Apache-2.0
// Builds .eh_frame_hdr and .eh_frame in memory from instructions typed as
// bytes. Function addresses are offsets from code(), an address near the
// section that nothing reads.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "preload/unwind/eh_frame_hdr.h"

namespace heapledger::preload::unwind {

using Bytes = std::vector<std::uint8_t>;

// Call frame instructions of the usual function: CFA = rsp + 8, return address
// at CFA − 8.
inline Bytes UsualInitial() { return {0x0c, 7, 8, 0x80 | 16, 1}; }

class EhFrameBuilder {
 public:
  EhFrameBuilder() : bytes_(kCapacity) {}

  std::uint64_t code() const { return base() + 0x100000; }

  // Starts a CIE; the FDEs that follow belong to it.
  EhFrameBuilder& Cie(const Bytes& initial = UsualInitial(),
                      const std::string& augmentation = "zR",
                      const Bytes& augmentation_data = {0x1b}) {
    const std::size_t head = Begin();
    Put<std::uint32_t>(0);
    cie_ = head;
    Put<std::uint8_t>(1);
    for (const char letter : augmentation) Put(letter);
    Put<std::uint8_t>(0);
    Put<std::uint8_t>(1);     // code alignment
    Put<std::uint8_t>(0x78);  // data alignment −8
    Put<std::uint8_t>(16);    // return address column
    if (!augmentation.empty() && augmentation[0] == 'z') {
      Put(static_cast<std::uint8_t>(augmentation_data.size()));
      Append(augmentation_data);
    }
    Append(initial);
    End(head);
    return *this;
  }

  // An FDE of [code() + start, + length).
  EhFrameBuilder& Fde(std::uint64_t start, std::uint32_t length,
                      const Bytes& instructions) {
    const std::size_t head = Begin();
    Put(static_cast<std::uint32_t>(size_ - cie_));
    Put(static_cast<std::uint32_t>(code() + start - (base() + size_)));
    Put(length);
    Put<std::uint8_t>(0);  // augmentation data
    Append(instructions);
    End(head);
    rows_.emplace_back(start, head);
    return *this;
  }

  // With the sorted table. FDEs must have been added in order of address.
  EhFrameSection Build() {
    End();
    const std::size_t hdr = BeginHdr(0x03, 0x3b);
    Put(static_cast<std::uint32_t>(rows_.size()));
    for (const auto& [start, fde] : rows_) {
      Put(static_cast<std::uint32_t>(code() + start - (base() + hdr)));
      Put(static_cast<std::uint32_t>(fde - hdr));
    }
    return Section(hdr);
  }

  EhFrameSection BuildWithoutTable() {
    End();
    return Section(BeginHdr(0xff, 0xff));
  }

  Bytes& bytes() { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kCapacity = 1 << 16;

  std::uint64_t base() const {
    return reinterpret_cast<std::uint64_t>(bytes_.data());
  }
  template <typename T>
  void Put(T value) {
    std::memcpy(bytes_.data() + size_, &value, sizeof value);
    size_ += sizeof value;
  }
  void Append(const Bytes& more) {
    for (const std::uint8_t byte : more) Put(byte);
  }
  std::size_t Begin() {
    const std::size_t head = size_;
    Put<std::uint32_t>(0);
    return head;
  }
  void End(std::size_t head) {
    while (size_ % 8 != 4) Put<std::uint8_t>(0);
    const auto length = static_cast<std::uint32_t>(size_ - head - 4);
    std::memcpy(bytes_.data() + head, &length, sizeof length);
  }
  void End() { Put<std::uint32_t>(0); }
  std::size_t BeginHdr(std::uint8_t count_encoding,
                       std::uint8_t table_encoding) {
    const std::size_t hdr = size_;
    Put<std::uint8_t>(1);
    Put<std::uint8_t>(0x1b);
    Put(count_encoding);
    Put(table_encoding);
    Put(static_cast<std::uint32_t>(0 - size_));  // .eh_frame is at 0
    return hdr;
  }
  EhFrameSection Section(std::size_t hdr) const {
    return {base() + hdr, {base(), base() + size_}};
  }

  Bytes bytes_;
  std::size_t size_ = 0;
  std::size_t cie_ = 0;
  std::vector<std::pair<std::uint64_t, std::size_t>> rows_;
};

}  // namespace heapledger::preload::unwind
