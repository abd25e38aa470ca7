// SPDX-License-Identifier: Apache-2.0
// Linkage name -> the name a person wrote. C++, Rust and D are decoded; what is
// not understood (C, garbage) comes back as it is. Names come from files that
// nobody has checked: work and text are bounded, see bounded_demangler.h.
#pragma once

#include <string>
#include <string_view>

namespace heapledger::symbolizer {

// Drops "@VERSION" and "@@VERSION".
std::string_view StripSymbolVersion(std::string_view name);

// Drops what compilers append to a part or a copy of a function (".cold",
// ".constprop.0"): to the reader, and to a callsite, it is the same function.
std::string_view StripCloneSuffix(std::string_view name);

// Returns a name fit to show, without clone suffix; empty only if
// `linkage_name` is.
std::string Demangle(std::string_view linkage_name);

}  // namespace heapledger::symbolizer
