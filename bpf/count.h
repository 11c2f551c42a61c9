/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What is counted and what is logged. */
#ifndef WEFT_COUNT_H
#define WEFT_COUNT_H

#include <linux/in.h>

#include "destination.h"
#include "maps.h"

static __always_inline void count(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);

	if (value)
		*value += 1;
}

static __always_inline void count_hit(__u32 endpoint)
{
	__u64 *value = bpf_map_lookup_elem(&endpoint_hits, &endpoint);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* BPF_RB_NO_WAKEUP: waking a reader costs more than the connect itself. */
static __always_inline void log_refusal(const struct destination *to, __u32 limit)
{
	struct refusal_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count(COUNTER_EVENTS_LOST);
		return;
	}
	event->address = to->address;
	event->port = to->port;
	event->protocol = to->protocol;
	event->limit = limit;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	if (bpf_get_current_comm(event->command, sizeof(event->command)))
		event->command[0] = 0;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* @limit: the one that is reached, or 0 */
static __always_inline void count_refusal(const struct destination *to, __u32 service_port,
					  __u32 limit)
{
	__u64 *value = bpf_map_lookup_elem(&refusals, &service_port);

	count(to->protocol == IPPROTO_TCP ? COUNTER_TCP_REFUSED : COUNTER_UDP_REFUSED);
	if (value)
		__sync_fetch_and_add(value, 1);
	log_refusal(to, limit);
}

#endif
