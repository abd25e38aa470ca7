// SPDX-License-Identifier: Apache-2.0
// The help of the whole command on one screen of 24 lines: a line for each
// verb, and one for the options that all of them have. A verb's own help is as
// CLI11 makes it.
#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}  // namespace CLI

namespace heapledger::collector::cli {

[[nodiscard]] std::shared_ptr<CLI::FormatterBase> MakeHelpScreen();

}  // namespace heapledger::collector::cli
