/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Words: read at once, told apart, hashed. */
#ifndef WEFT_WORDS_H
#define WEFT_WORDS_H

#include "types.h"

/* One aligned 64-bit load: the pair in it was written together. */
static __always_inline __u64 load_word(const void *word)
{
	return *(const volatile __u64 *)word;
}

/* Different words give different hashes, and all their bits count in the steps that follow. */
static __always_inline __u32 mix(__u32 hash, __u32 word, __u32 factor)
{
	hash = (hash ^ word) * factor;
	return hash ^ hash >> 16;
}

/*
 * Ties the halves of a word to each other: the kernel may copy it byte by byte into an element that is used again, and then an id must
 * not be believed that came before its tag. Different ids give different values.
 */
static __always_inline __u32 tie(__u32 id)
{
	return id * 0x9e3779b1u;
}

#endif
