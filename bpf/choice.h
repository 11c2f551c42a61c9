/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Choosing one of a record's entries: at random, in turn, the least busy of some, or by the client. */
#ifndef WEFT_CHOICE_H
#define WEFT_CHOICE_H

#include "address.h"
#include "destination.h"
#include "maps.h"
#include "words.h"

#define TIER_FLAGS (TIER_WEIGHTED | TIER_MAPPED)

#define SERVICE_BY_CLIENT (SERVICE_RING_HASH | SERVICE_MAGLEV)
#define SERVICE_NOT_RANDOM (SERVICE_ROUND_ROBIN | SERVICE_LEAST_REQUEST | SERVICE_BY_CLIENT)

/* What the tier's word says of its rows. */
static __always_inline __u32 rows_of(const struct route *route)
{
	return (__u32)(route->tier >> 32) & ~TIER_FLAGS;
}

static __always_inline bool is_weighted(const struct route *route)
{
	return route->tier >> 32 & TIER_WEIGHTED;
}

/* An entry's word; false beyond the record's end. */
static __always_inline bool read_entry(void *record, __u32 position, __u64 *word)
{
	struct record_entry *entry = bpf_map_lookup_elem(record, &position);

	if (!entry)
		return false;
	*word = load_word(entry);
	return true;
}

/* A number in 0..count-1, each as likely as the next (Lemire's multiply-and-shift). */
static __always_inline __u32 random_below(__u32 count)
{
	return (__u64)bpf_get_prandom_u32() * count >> 32;
}

/* Which of a weighted row's two entries a number picks. @item: set to the row that the endpoint is of */
static __always_inline bool pick_of_row(void *record, __u32 row, __u32 number, __u64 *word,
					__u32 *item)
{
	if (!read_entry(record, 2 * row, word))
		return false;
	*item = row;
	if (number < (__u32)*word)
		return true;
	if (!read_entry(record, 2 * row + 1, word))
		return false;
	*item = *word;
	return true;
}

/* By weight. @item: as pick_of_row() */
static __always_inline bool pick_at_random(void *record, const struct route *route, __u64 *word,
					   __u32 *item)
{
	__u32 row = random_below(rows_of(route));

	*item = row;
	return is_weighted(route) ? pick_of_row(record, row, bpf_get_prandom_u32(), word, item)
				  : read_entry(record, row, word);
}

static __always_inline __u32 reverse_bits(__u32 word)
{
	word = (word & 0x55555555) << 1 | (word >> 1 & 0x55555555);
	word = (word & 0x33333333) << 2 | (word >> 2 & 0x33333333);
	word = (word & 0x0f0f0f0f) << 4 | (word >> 4 & 0x0f0f0f0f);
	return __builtin_bswap32(word);
}

/*
 * Takes the service port's next turn. The rows have theirs one after the other, and a weighted row's two endpoints share its turns as
 * its threshold says: in each cycle it is held against the next number of the van der Corput sequence (the cycle's number with its
 * bits reversed). Any 2^k cycles in a row that begin at a multiple of 2^k have numbers 2^(32-k) apart.
 */
static __always_inline bool pick_in_turn(void *record, const struct route *route, __u64 *word)
{
	__u32 id = route->id, rows = rows_of(route), item;
	__u64 *given = bpf_map_lookup_elem(&turns, &id), turn;

	if (!given || !rows)
		return false;
	turn = __sync_fetch_and_add(given, 1);
	return is_weighted(route)
		       ? pick_of_row(record, turn % rows, reverse_bits(turn / rows), word, &item)
		       : read_entry(record, turn % rows, word);
}

/* How many connections an endpoint has. Others come and go meanwhile. */
static __always_inline __u32 connections_of(__u32 index)
{
	struct endpoint_connections *connections =
		bpf_map_lookup_elem(&endpoint_connections, &index);
	struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &index);
	__u64 word;

	if (!connections || !endpoint)
		return 0;
	word = load_word(connections);
	if (word >> 32 != endpoint->generation || (__u32)word < NO_CONNECTIONS)
		return 0;
	return (__u32)word - NO_CONNECTIONS;
}

static __always_inline __u32 weight_of(void *record, const struct route *route, __u32 item)
{
	__u64 word;

	/* Until a record has come that has weights, all are alike. */
	if (!is_weighted(route) || !read_entry(record, 2 * rows_of(route) + item, &word) ||
	    !(__u32)word)
		return 1;
	return word;
}

/*
 * Of some chosen at random by weight the one with the fewest connections for its weight, of several such the first: M. Mitzenmacher,
 * "The power of two choices in randomized load balancing", IEEE TPDS 12(10), 2001. With equal weights it is Envoy's LEAST_REQUEST.
 */
static __always_inline bool pick_least_busy(void *record, const struct route *route, __u64 *word)
{
	__u64 least = 0, weight = 0;

	for (int i = 0; i < MOST_CHOICES; i++) {
		__u64 one, active, its_weight;
		__u32 item;

		if (i && i >= route->choices)
			break;
		if (!pick_at_random(record, route, &one, &item))
			return false;
		active = connections_of(one >> 32);
		its_weight = weight_of(record, route, item);
		if (i && active * weight >= least * its_weight)
			continue;
		*word = one;
		least = active;
		weight = its_weight;
	}
	return true;
}

/*
 * Whose connection it is. Where the socket is bound to an address that is the client; else the kernel chooses the address only after
 * this, and the network namespace stands for it: a pod has one of its own.
 */
static __always_inline __u32 client_hash(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct address client = {};
	__u32 hash;

	if (sk && sk->family == 10 /* AF_INET6 */) {
		client.words[0] = sk->src_ip6[0];
		client.words[1] = sk->src_ip6[1];
		client.words[2] = sk->src_ip6[2];
		client.words[3] = sk->src_ip6[3];
	} else if (sk && sk->src_ip4) {
		client.words[2] = bpf_htonl(0xffff);
		client.words[3] = sk->src_ip4;
	}
	if (!(client.words[0] | client.words[1] | client.words[2] | client.words[3])) {
		__u64 netns = bpf_get_netns_cookie(ctx);

		client.words[0] = netns;
		client.words[1] = netns >> 32;
	}
	hash = mix(0, client.words[0], 0x9e3779b1);
	hash = mix(hash, client.words[1], 0x85ebca77);
	hash = mix(hash, client.words[2], 0xc2b2ae3d);
	hash = mix(hash, client.words[3], 0x27d4eb2f);
	/* Clients that differ in a bit should have nothing in common. */
	hash = mix(hash, 0, 0x85ebca6b);
	return mix(hash, 0, 0xc2b2ae35);
}

/* Karger and others, "Consistent hashing and random trees", STOC 1997. */
static __always_inline bool pick_on_ring(void *record, __u32 points, __u32 hash, __u64 *word)
{
	__u32 low = 0, high = points;

	for (int i = 0; i < 30 && low < high; i++) {
		__u32 middle = low + (high - low) / 2;

		if (!read_entry(record, middle, word))
			return false;
		if ((__u32)*word < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return read_entry(record, low < points ? low : 0, word);
}

/*
 * What is not at random. Whichever record it meets, the entry that it finds names one of the tier's endpoints: the service port's flags
 * and its tier's word are two words. Not static, so that the verifier looks at it once and not at each call.
 *
 * @returns the endpoint, or 0
 */
__noinline __u32 choose_otherwise(struct bpf_sock_addr *ctx, const struct route *route)
{
	__u32 entries, slot;
	__u64 word = 0;
	bool found;
	void *record;

	if (!route)
		return 0;
	entries = rows_of(route) << is_weighted(route);
	slot = route->tier;
	record = bpf_map_lookup_elem(&records, &slot);
	if (!record || !entries)
		return 0;
	if (route->flags & SERVICE_ROUND_ROBIN)
		found = pick_in_turn(record, route, &word);
	else if (route->flags & SERVICE_LEAST_REQUEST)
		found = pick_least_busy(record, route, &word);
	else if (route->flags & SERVICE_RING_HASH)
		found = pick_on_ring(record, entries, client_hash(ctx), &word);
	else /* D. Eisenbud and others, "Maglev: a fast and reliable software network load balancer", NSDI 2016. */
		found = read_entry(record, client_hash(ctx) % entries, &word);
	return found ? word >> 32 : 0;
}

/* @returns the endpoint, or 0 */
static __always_inline __u32 choose(struct bpf_sock_addr *ctx, const struct route *route)
{
	__u32 slot = route->tier, item;
	__u64 word;
	void *record;

	if (route->flags & SERVICE_NOT_RANDOM)
		return choose_otherwise(ctx, route);
	record = bpf_map_lookup_elem(&records, &slot);
	return record && pick_at_random(record, route, &word, &item) ? word >> 32 : 0;
}

#endif
