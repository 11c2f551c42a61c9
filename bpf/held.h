/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a connection holds for as long as its socket lives: a place under the limit of its cluster, and one at its endpoint. */
#ifndef WEFT_HELD_H
#define WEFT_HELD_H

#include "lb.h"

static __always_inline __u64 *active_connections_of(__u32 limit)
{
	return bpf_map_lookup_elem(&active_connections, &limit);
}

/* False where nothing is known of the limit. */
static __always_inline bool find_limit(__u32 limit, __u32 *most)
{
	/* A word of another id is seen only while elements are being replaced: look again. */
	for (int attempt = 0; attempt < 4; attempt++) {
		struct connection_limit *value = bpf_map_lookup_elem(&connection_limits, &limit);
		__u64 word;

		if (!value)
			return false;
		word = load_word(value);
		*most = word;
		if (word >> 32 == (limit ^ tie(*most)))
			return true;
	}
	return false;
}

/* Gives a place back; 0: none was taken. */
static __always_inline void give_back_limit(__u32 limit)
{
	__u64 *active = limit ? active_connections_of(limit) : 0;

	if (active)
		__sync_fetch_and_add(active, -1);
}

/*
 * Takes one of a limit's places; false where all are taken. @held: set to what must be given back.
 *
 * The count may stand above the limit while connects that come too late take back what they added, and no such connect goes through:
 * there are never more connections than places.
 */
static __always_inline bool take_connection(__u32 limit, __u32 *held)
{
	__u64 *active = active_connections_of(limit);
	__u32 most;

	*held = 0;
	if (!active || !find_limit(limit, &most)) {
		count(COUNTER_BROKEN);
		return true;
	}
	/* At the limit many may come at once: they only read. */
	if (load_word(active) >= most)
		return false;
	if (__sync_fetch_and_add(active, 1) < most) {
		*held = limit;
		return true;
	}
	__sync_fetch_and_add(active, -1);
	return false;
}

/*
 * Counts a connection to an endpoint. Nobody gives the index to another endpoint meanwhile: that waits for a grace period. Not static,
 * as choose_otherwise().
 *
 * @returns whether it is counted
 */
__noinline bool count_connection(__u32 endpoint, __u32 generation)
{
	__u64 *word = bpf_map_lookup_elem(&endpoint_connections, &endpoint);

	if (!word)
		return false;
	/* It is another one's at most once, and then only those who still have connections to that one write. */
	for (int attempt = 0; attempt < 16; attempt++) {
		__u64 old = load_word(word), first = (__u64)generation << 32 | (NO_CONNECTIONS + 1);

		if (old >> 32 == generation) {
			__sync_fetch_and_add(word, 1);
			return true;
		}
		if (__sync_val_compare_and_swap(word, old, first) == old)
			return true;
	}
	count(COUNTER_BROKEN);
	return false;
}

/* Takes one off, where the count is still that endpoint's. */
static __always_inline void uncount_connection(__u32 endpoint, __u32 generation)
{
	__u64 *word = bpf_map_lookup_elem(&endpoint_connections, &endpoint);

	if (!word || load_word(word) >> 32 != generation)
		return;
	/* It has become another one's between the two: as it was. */
	if (__sync_fetch_and_add(word, -1) >> 32 != generation)
		__sync_fetch_and_add(word, 1);
}

/* Gives back what a connection held. */
static __always_inline void give_back(__u32 held, __u32 endpoint, __u32 generation)
{
	give_back_limit(held & ~HELD_ENDPOINT);
	if (held & HELD_ENDPOINT)
		uncount_connection(endpoint, generation);
}

#endif
