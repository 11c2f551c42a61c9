/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a socket remembers: the VIP it asked for, the backend it got. */
#ifndef WEFT_SOCKET_STATE_H
#define WEFT_SOCKET_STATE_H

#include "lb.h"

/* How many flows sock_release deletes itself; the agent finds the rest by their missing FLOW_HEAD. */
#define FLOWS_PER_RELEASE 128

/*
 * Ties a value to its socket and its parts to each other: the kernel may give a replaced element's memory to another
 * socket while a reader still looks at it. Words after the seal only.
 */
static __always_inline __u64 seal_of(__u64 cookie, const __u64 *words, int count)
{
	__u64 hash = cookie ^ 0x9e3779b97f4a7c15ull;

	for (int i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash;
}

#define SEALED_WORDS(type) ((sizeof(type) - sizeof(__u64)) / sizeof(__u64))

static __always_inline __u64 seal_peer(__u64 cookie, const struct socket_peer *peer)
{
	return seal_of(cookie, (const __u64 *)&peer->vip, SEALED_WORDS(struct socket_peer));
}

static __always_inline __u64 seal_flow(__u64 cookie, const struct flow *flow)
{
	return seal_of(cookie, (const __u64 *)&flow->other, SEALED_WORDS(struct flow));
}

/* Copies what the socket is connected to; false where it is connected through no VIP. */
static __always_inline bool find_peer(__u64 cookie, struct socket_peer *to)
{
	for (int attempt = 0; attempt < 4; attempt++) {
		struct socket_peer *peer = bpf_map_lookup_elem(&socket_peers, &cookie);

		if (!peer)
			return false;
		*to = *peer;
		if (to->seal == seal_peer(cookie, to))
			return true;
	}
	return false;
}

/* False where the map is full. */
static __always_inline bool remember_peer(__u64 cookie, const struct destination *vip,
					  const struct backend *to)
{
	struct socket_peer peer = {
		.vip = vip->address,
		.backend = to->address,
		.vip_port = vip->port,
		.backend_port = to->port,
		.endpoint = to->endpoint,
		.generation = to->generation,
	};

	peer.seal = seal_peer(cookie, &peer);
	return bpf_map_update_elem(&socket_peers, &cookie, &peer, BPF_ANY) == 0;
}

static __always_inline void forget_peer(__u64 cookie)
{
	/* A look-up is cheaper than a delete that finds nothing: it takes no lock. */
	if (bpf_map_lookup_elem(&socket_peers, &cookie))
		bpf_map_delete_elem(&socket_peers, &cookie);
}

static __always_inline bool find_flow(const struct flow_key *key, struct flow *to)
{
	for (int attempt = 0; attempt < 4; attempt++) {
		struct flow *flow = bpf_map_lookup_elem(&flows, key);

		if (!flow)
			return false;
		*to = *flow;
		if (to->seal == seal_flow(key->cookie, to))
			return true;
	}
	return false;
}

static __always_inline bool put_flow(const struct flow_key *key, struct flow *flow)
{
	flow->seal = seal_flow(key->cookie, flow);
	return bpf_map_update_elem(&flows, key, flow, BPF_ANY) == 0;
}

/*
 * Writes a flow and, if it is new, puts it at the head of the socket's list. Two threads that do so at the same time on
 * one socket may lose one from the list (never from the map): it outlives the socket until the agent sweeps.
 */
static __always_inline bool remember_flow(const struct flow_key *key, struct flow *flow)
{
	struct flow_key head_key = { .cookie = key->cookie, .role = FLOW_HEAD };
	struct flow head = {}, old;

	if (find_flow(key, &old)) {
		flow->next = old.next;
		flow->next_port = old.next_port;
		flow->next_role = old.next_role;
		return put_flow(key, flow);
	}
	/* The head first: a flow without one counts as left over from a closed socket. */
	if (!find_flow(&head_key, &head) && !put_flow(&head_key, &head))
		return false;
	flow->next = head.next;
	flow->next_port = head.next_port;
	flow->next_role = head.next_role;
	if (!put_flow(key, flow))
		return false;
	head.next = key->address;
	head.next_port = key->port;
	head.next_role = key->role;
	return put_flow(&head_key, &head);
}

/* Remembers which backend answers for (socket, VIP, port). */
static __always_inline bool remember_sent(__u64 cookie, const struct address *vip, __be16 vip_port,
					  const struct backend *to)
{
	struct flow_key key = {
		.cookie = cookie, .address = *vip, .port = vip_port, .role = FLOW_SENT
	};
	struct flow flow = {
		.other = to->address,
		.other_port = to->port,
		.endpoint = to->endpoint,
		.generation = to->generation,
	};

	return remember_flow(&key, &flow);
}

/* Remembers what to call the answers of (socket, backend, port): the VIP sent to last. */
static __always_inline bool remember_reply(__u64 cookie, const struct destination *vip,
					   const struct backend *to)
{
	struct flow_key key = {
		.cookie = cookie, .address = to->address, .port = to->port, .role = FLOW_REPLY
	};
	struct flow flow = { .other = vip->address, .other_port = vip->port }, old;

	if (find_flow(&key, &old) && same_address(&old.other, &vip->address) &&
	    old.other_port == vip->port)
		return true;
	return remember_flow(&key, &flow);
}

/* Deletes everything that a closed socket remembered. */
static __always_inline void forget_flows(__u64 cookie)
{
	struct flow_key key = { .cookie = cookie, .role = FLOW_HEAD };
	struct flow flow = {};

	if (!find_flow(&key, &flow))
		return;
	bpf_map_delete_elem(&flows, &key);
	for (int i = 0; i < FLOWS_PER_RELEASE && flow.next_role != FLOW_HEAD; i++) {
		key.address = flow.next;
		key.port = flow.next_port;
		key.role = flow.next_role;
		if (!find_flow(&key, &flow))
			return;
		bpf_map_delete_elem(&flows, &key);
	}
}

#endif
