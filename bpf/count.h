/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Counters. */
#ifndef WEFT_COUNT_H
#define WEFT_COUNT_H

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

static __always_inline void count_refusal(__u32 service_port)
{
	__u64 *value = bpf_map_lookup_elem(&refusals, &service_port);

	if (value)
		__sync_fetch_and_add(value, 1);
}

#endif
