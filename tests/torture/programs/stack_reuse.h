/* SPDX-License-Identifier: Apache-2.0
 * What the parts of stack_reuse share: frames of every habit, each of which
 * allocates and then calls what it is given. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* A function to go on with, and what it takes. */
typedef unsigned (*Next)(unsigned seed, int depth);

/* One call to malloc and one to free; returns something of the block. */
unsigned Touch(unsigned seed);

/* With frame pointers (stack_reuse_frames.c) and a few without. */
unsigned WithFramePointer(unsigned seed, int depth, Next next);
unsigned WithFramePointerAndArray(unsigned seed, int depth, Next next);
unsigned PassesOn(unsigned seed, int depth, Next next);

#ifdef __cplusplus
}
#endif
