/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Connects that fail, counted by endpoint. */
#ifndef WEFT_FAILURES_H
#define WEFT_FAILURES_H

#include "socket_state.h"

/*
 * Element 0, which is no endpoint's, says whether any element may be other than 0: while all goes well, no connect looks at its
 * endpoint's, which would most often miss the cache. Set here; the agent clears it, and then looks whether it must set it again.
 */
static __always_inline void set_some_fail(void)
{
	__u32 nobody = 0;
	struct connect_failures *some = bpf_map_lookup_elem(&connect_failures, &nobody);

	if (some)
		*(volatile __u64 *)some = 1;
}

static __always_inline bool some_fail(void)
{
	__u32 nobody = 0;
	struct connect_failures *some = bpf_map_lookup_elem(&connect_failures, &nobody);

	return some && load_word(some);
}

/* How many are in a row with this one; 0 where too many others were counted at the same instant. */
static __always_inline __u32 add_failure(struct connect_failures *of, __u32 generation)
{
	for (int attempt = 0; attempt < 8; attempt++) {
		__u64 before = load_word(of);
		__u64 after = before >> 32 == generation ? before + 1 : (__u64)generation << 32 | 1;

		if (__sync_val_compare_and_swap((__u64 *)of, before, after) == before)
			return after;
	}
	return 0;
}

static __always_inline void tell_failures(const struct socket_peer *peer, __u32 in_a_row,
					  enum failure failure)
{
	struct failure_event *event = bpf_ringbuf_reserve(&failure_events, sizeof(*event), 0);

	if (!event) {
		count(COUNTER_FAILURE_EVENTS_LOST);
		return;
	}
	event->endpoint = peer->endpoint;
	event->generation = peer->generation;
	event->in_a_row = in_a_row;
	event->failure = failure;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* A connect of this socket failed. Where it went to is not an endpoint any more nothing is made of it. */
static __always_inline void count_failure(const struct socket_peer *peer, enum failure failure)
{
	__u32 endpoint = peer->endpoint, in_a_row;
	struct connect_failures *of = bpf_map_lookup_elem(&connect_failures, &endpoint);

	count(COUNTER_ENDPOINT_REFUSED + failure);
	if (!of || !still_usable(endpoint, peer->generation))
		return;
	in_a_row = add_failure(of, peer->generation);
	set_some_fail();
	if (in_a_row && in_a_row % settings.consecutive_failures == 0)
		tell_failures(peer, in_a_row, failure);
}

/* A connect succeeded: whatever failed before is not in a row any more. */
static __always_inline void forget_failures(__u32 endpoint)
{
	struct connect_failures *of = bpf_map_lookup_elem(&connect_failures, &endpoint);

	if (of && load_word(of))
		*(volatile __u64 *)of = 0;
}

#endif
