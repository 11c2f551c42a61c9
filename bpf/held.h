/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a connection holds for as long as its socket lives: a place under the limit of its cluster. */
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

/* Gives back what a socket held; 0: nothing. */
static __always_inline void give_back(__u32 held)
{
	__u64 *active = held ? active_connections_of(held) : 0;

	if (active)
		__sync_fetch_and_add(active, -1);
}

/*
 * Takes one of a limit's places; false where all are taken. @held: set to what must be given back.
 *
 * The count may stand above the limit while connects that come too late
 * take back what they added, and no such connect goes through: there are never more connections than places.
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

#endif
