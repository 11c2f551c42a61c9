/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a socket remembers: the VIP it asked for, the backend it got. */
#ifndef WEFT_SOCKET_STATE_H
#define WEFT_SOCKET_STATE_H

#include "held.h"

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
	return seal_of(cookie, (const __u64 *)&peer->vip, SEALED_WORDS(struct socket_peer) - 1);
}

static __always_inline __u64 seal_flow(__u64 cookie, const struct flow *flow)
{
	return seal_of(cookie, (const __u64 *)&flow->other, SEALED_WORDS(struct flow));
}

/*
 * Cookies count up, so four sockets that are opened one after the other share their first bucket: short-lived ones keep using the
 * same cache lines, and many long-lived ones spread evenly.
 */
static __always_inline __u32 first_bucket(__u64 cookie)
{
	return cookie >> 2 & settings.bucket_mask;
}

/* Another one at random, for when the first is full. */
static __always_inline __u32 second_bucket(__u64 cookie)
{
	__u32 distance = cookie * 0x9e3779b97f4a7c15ull >> 32;

	return (first_bucket(cookie) ^ (distance | 1)) & settings.bucket_mask;
}

static __always_inline struct socket_bucket *bucket_at(__u32 number)
{
	return bpf_map_lookup_elem(&socket_buckets, &number);
}

/* The way that holds `cookie`, or -1. */
static __always_inline int find_way(struct socket_bucket *bucket, __u64 cookie)
{
	for (int way = 0; way < BUCKET_WAYS; way++)
		if (load_word(&bucket->cookies[way]) == cookie)
			return way;
	return -1;
}

/* A free way, which then holds `cookie`, or -1. */
static __always_inline int take_way(struct socket_bucket *bucket, __u64 cookie)
{
	for (int way = 0; way < BUCKET_WAYS; way++)
		if (!load_word(&bucket->cookies[way]) &&
		    !__sync_val_compare_and_swap(&bucket->cookies[way], 0, cookie))
			return way;
	return -1;
}

/* Where a socket's peer is. */
struct place {
	struct socket_bucket *first; /* the bucket that the socket should be in */
	struct socket_bucket *bucket; /* the one that it is in */
	__u32 number;
	int way;
};

/* The second bucket is looked at only while somebody was displaced from the first. */
static __always_inline bool find_place(__u64 cookie, struct place *place)
{
	place->number = first_bucket(cookie);
	place->first = place->bucket = bucket_at(place->number);
	if (!place->first)
		return false;
	place->way = find_way(place->first, cookie);
	if (place->way >= 0)
		return true;
	if (!*(volatile __u32 *)&place->first->displaced)
		return false;
	place->number = second_bucket(cookie);
	place->bucket = bucket_at(place->number);
	if (!place->bucket)
		return false;
	place->way = find_way(place->bucket, cookie);
	return place->way >= 0;
}

/* The place that the socket has, or a new one. */
static __always_inline bool take_place(__u64 cookie, struct place *place)
{
	if (find_place(cookie, place))
		return true;
	if (!place->first)
		return false;
	place->number = first_bucket(cookie);
	place->way = take_way(place->first, cookie);
	if (place->way >= 0)
		return true;
	place->number = second_bucket(cookie);
	place->bucket = bucket_at(place->number);
	if (!place->bucket)
		return false;
	/* Counted first: whoever sees the way taken must know to look here. */
	__sync_fetch_and_add(&place->first->displaced, 1);
	place->way = take_way(place->bucket, cookie);
	if (place->way >= 0)
		return true;
	__sync_fetch_and_add(&place->first->displaced, -1);
	return false;
}

static __always_inline struct socket_peer *peer_at(const struct place *place)
{
	__u32 index = place->number * BUCKET_WAYS + place->way;

	return bpf_map_lookup_elem(&socket_peers, &index);
}

/* Copies what the socket is connected to; false where it is connected through no VIP. */
static __always_inline bool find_peer(__u64 cookie, struct socket_peer *to)
{
	struct place place = {};
	struct socket_peer *peer;

	if (!find_place(cookie, &place))
		return false;
	peer = peer_at(&place);
	if (!peer)
		return false;
	*to = *peer;
	/* Another thread of the application may be connecting the socket elsewhere at this moment: neither answer is wrong. */
	return to->seal == seal_peer(cookie, to);
}

/* A socket's connection is over: what it held is given back, once. */
static __always_inline void release_held(__u64 cookie, const struct place *place,
					 struct socket_peer *peer)
{
	/* The place may have been another socket's before. */
	if (!peer->held || peer->seal != seal_peer(cookie, peer))
		return;
	give_back(peer->held, peer->endpoint, peer->generation);
	peer->held = 0;
	__sync_fetch_and_add(&place->first->holders, -1);
}

/* False where there is no room. @held: as in struct socket_peer */
static __always_inline bool remember_peer(__u64 cookie, const struct destination *vip,
					  const struct backend *to, __u32 held)
{
	struct place place = {};
	struct socket_peer *peer;

	if (!take_place(cookie, &place))
		return false;
	peer = peer_at(&place);
	if (!peer)
		return false;
	release_held(cookie, &place, peer);
	peer->vip = vip->address;
	peer->backend = to->address;
	peer->vip_port = vip->port;
	peer->backend_port = to->port;
	peer->endpoint = to->endpoint;
	peer->generation = to->generation;
	peer->held = held;
	if (held)
		__sync_fetch_and_add(&place.first->holders, 1);
	peer->seal = seal_peer(cookie, peer);
	peer->unanswered = 0;
	return true;
}

static __always_inline void forget_peer(__u64 cookie)
{
	struct place place = {};
	struct socket_peer *peer;
	int way;

	if (!find_place(cookie, &place))
		return;
	/* In the cache line that was just read; the peer's own most often is not in the cache. */
	if (*(volatile __u32 *)&place.first->holders) {
		peer = peer_at(&place);
		if (peer)
			release_held(cookie, &place, peer);
	}
	way = place.way;
	for (int i = 0; i < BUCKET_WAYS; i++)
		if (i == way)
			*(volatile __u64 *)&place.bucket->cookies[i] = 0;
	if (place.bucket != place.first)
		__sync_fetch_and_add(&place.first->displaced, -1);
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
