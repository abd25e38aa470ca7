/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program may tell heapledger, and hear from it. For C11 and C++11;
 * needs nothing at build time, and does nothing where the program runs without
 * the shim.
 */
#ifndef HEAPLEDGER_HEAPLEDGER_H_
#define HEAPLEDGER_HEAPLEDGER_H_

#include "heapledger/pressure.h"
#include "heapledger/tags.h"

#endif /* HEAPLEDGER_HEAPLEDGER_H_ */
