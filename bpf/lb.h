/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Choosing a backend: frontend -> service port -> tier word -> record -> an entry (choice.h) -> endpoint. */
#ifndef WEFT_LB_H
#define WEFT_LB_H

#include "address.h"
#include "choice.h"
#include "count.h"
#include "maps.h"
#include "words.h"

enum verdict {
	VERDICT_LEAVE, /* not the mesh's business */
	VERDICT_BALANCE, /* the service port has endpoints */
	VERDICT_REFUSE,
};

#define NO_SERVICE_PORT 0xffffffffu

/*
 * Ties a frontend's word to its key; user space computes the same (src/dataplane/frontend_tag.ts). Keys that differ in one word
 * only never have the same tag.
 */
static __always_inline __u32 frontend_tag(const struct frontend_key *key)
{
	__u32 hash = mix(0, key->address.words[0], 0x9e3779b1);

	hash = mix(hash, key->address.words[1], 0x85ebca77);
	hash = mix(hash, key->address.words[2], 0xc2b2ae3d);
	hash = mix(hash, key->address.words[3], 0x27d4eb2f);
	return mix(hash, (__u32)key->port << 8 | key->protocol, 0x165667b1);
}

/* Asks `frontends` for the word of a key. */
static __always_inline bool look_up_frontend(const struct frontend_key *key, __u32 tag, __u64 *word)
{
	/* A word of another key is seen only while elements are being replaced: look again. */
	for (int attempt = 0; attempt < 4; attempt++) {
		struct frontend *value = bpf_map_lookup_elem(&frontends, key);

		if (!value)
			return false;
		*word = load_word(value);
		if (*word >> 32 == (tag ^ tie(*word)))
			return true;
	}
	count(COUNTER_BROKEN);
	return false;
}

static __always_inline bool same_key(const struct frontend_key *a, const struct frontend_key *b)
{
	const __u32 *left = (const __u32 *)a, *right = (const __u32 *)b;

	for (unsigned int i = 0; i < sizeof(*a) / sizeof(__u32); i++)
		if (left[i] != right[i])
			return false;
	return true;
}

static __always_inline bool read_way(const struct frontend_way *way, const struct frontend_key *key,
				     __u32 tag, __u64 *word)
{
	if (!same_key(&way->key, key))
		return false;
	*word = load_word(&way->frontend);
	return *word >> 32 == (tag ^ tie(*word));
}

/* A port's own frontend. @kind: 0, or FRONTEND_RANGE */
static __always_inline __u32 find_port(const struct address *address, __be16 port, __u8 protocol,
				       __u8 kind)
{
	struct frontend_key key = { .address = *address,
				    .port = port,
				    .protocol = protocol | kind };
	__u32 tag = frontend_tag(&key), at = tag & settings.line_mask;
	struct frontend_line *line = bpf_map_lookup_elem(&frontend_lines, &at);
	__u64 word;

	if (line &&
	    (read_way(&line->first, &key, tag, &word) || read_way(&line->second, &key, tag, &word)))
		return word;
	return look_up_frontend(&key, tag, &word) ? (__u32)word : NO_SERVICE_PORT;
}

/* What holds for a whole VIP: most who come here ask for an address that is not the mesh's, so it has no line of its own. */
static __always_inline __u32 find_vip(const struct address *address, __u8 kind)
{
	struct frontend_key key = { .address = *address, .protocol = kind };
	__u64 word;

	return look_up_frontend(&key, frontend_tag(&key), &word) ? (__u32)word : NO_SERVICE_PORT;
}

/* A port's own frontend, else the VIP's. */
static __always_inline __u32 find_port_or_vip(const struct address *address, __be16 port,
					      __u8 protocol, __u8 kind)
{
	__u32 id = find_port(address, port, protocol, kind), of_vip;

	if (id != NO_SERVICE_PORT)
		return id;
	of_vip = find_vip(address, kind);
	if (of_vip == NO_SERVICE_PORT)
		return NO_SERVICE_PORT;
	/* A VIP's ports are written before the VIP: this one may have come between the two look-ups. */
	id = find_port(address, port, protocol, kind);
	return id != NO_SERVICE_PORT ? id : of_vip;
}

/* The first `bits` bits of a word in network order; none where `bits` is negative. */
static __always_inline __u32 first_bits(__u32 word, int bits)
{
	if (bits >= 32)
		return word;
	return bits <= 0 ? 0 : word & bpf_htonl(0xffffffffu << (32 - bits));
}

/* Ties a range's word to its key; as frontend_tag(). The last byte is the prefix's length. */
static __always_inline __u32 range_tag(const struct address *address, __u32 prefix_length)
{
	__u32 hash = mix(0, first_bits(address->words[0], prefix_length), 0x9e3779b1);

	hash = mix(hash, first_bits(address->words[1], (int)prefix_length - 32), 0x85ebca77);
	hash = mix(hash, first_bits(address->words[2], (int)prefix_length - 64), 0xc2b2ae3d);
	hash = mix(hash, first_bits(address->words[3], (int)prefix_length - 96), 0x27d4eb2f);
	return (hash & 0xffffff00) | prefix_length;
}

/* The longest range that the address is in leads on as a VIP does. */
static __always_inline __u32 find_in_range(const struct destination *to)
{
	struct range_key key = { .prefix_length = 128, .address = to->address };

	for (int attempt = 0; attempt < 4; attempt++) {
		struct range *value = bpf_map_lookup_elem(&ranges, &key);
		struct address id = {};
		__u64 word;
		__u32 tag;

		if (!value)
			return NO_SERVICE_PORT;
		word = load_word(value);
		tag = range_tag(&to->address, word >> 32 & 0xff);
		if (word >> 32 != (tag ^ (tie(word) & 0xffffff00)))
			continue;
		/* An IPv6 range is of IPv6 addresses only, though IPv4 ones lie in ::/0. */
		if ((word >> 32 & 0xff) < 96 && is_ipv4(&to->address))
			return NO_SERVICE_PORT;
		id.words[0] = word;
		return find_port_or_vip(&id, to->port, to->protocol, FRONTEND_RANGE);
	}
	count(COUNTER_BROKEN);
	return NO_SERVICE_PORT;
}

static __always_inline __u32 find_service_port(const struct destination *to)
{
	__u32 id = find_port_or_vip(&to->address, to->port, to->protocol, 0);

	if (id != NO_SERVICE_PORT || !settings.has_ranges)
		return id;
	return find_in_range(to);
}

/* What to do with a destination. */
static __always_inline enum verdict judge(const struct destination *to, struct route *route)
{
	struct service_port *service_port;
	__u32 count_word;
	__u64 head;

	route->id = find_service_port(to);
	if (route->id == NO_SERVICE_PORT)
		return VERDICT_LEAVE;
	service_port = bpf_map_lookup_elem(&services, &route->id);
	if (!service_port) {
		count(COUNTER_BROKEN);
		return VERDICT_LEAVE;
	}
	head = load_word(&service_port->flags);
	if (head & SERVICE_LEAVE)
		return VERDICT_LEAVE;
	route->flags = head;
	route->choices = head >> 16;
	route->limit = head >> 32;
	route->tier = load_word(&service_port->tier);
	count_word = route->tier >> 32;
	if (count_word & ~TIER_FLAGS)
		return VERDICT_BALANCE;
	/* glibc's getaddrinfo connects UDP sockets to any port to sort addresses: only what the mesh maps is refused. */
	if (to->protocol == IPPROTO_UDP && !(count_word & TIER_MAPPED))
		return VERDICT_LEAVE;
	return VERDICT_REFUSE;
}

#ifdef WEFT_TEST_BEFORE_RECORD
#include WEFT_TEST_BEFORE_RECORD
#else
/* A test puts a wait here (tests/kit/bpf). */
static __always_inline void before_record(void)
{
}
#endif

/* Chooses one of the tier's endpoints. */
static __always_inline bool pick(struct bpf_sock_addr *ctx, const struct route *route,
				 struct backend *to)
{
	struct endpoint *endpoint;
	__u32 index;

	before_record();
	/* No endpoint is 0. */
	index = choose(ctx, route);
	endpoint = bpf_map_lookup_elem(&endpoints, &index);
	if (!endpoint || !endpoint->generation)
		goto broken;
	to->address = endpoint->address;
	to->port = endpoint->port;
	to->endpoint = index;
	to->generation = endpoint->generation;
	return true;
broken:
	count(COUNTER_BROKEN);
	return false;
}

/* Whether what a socket remembers is still an endpoint that may be used. */
static __always_inline bool still_usable(__u32 index, __u32 generation)
{
	struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &index);
	struct {
		__u16 port;
		__u16 flags;
		__u32 generation;
	} tail;
	__u64 word;

	if (!endpoint)
		return false;
	word = load_word(&endpoint->port);
	__builtin_memcpy(&tail, &word, sizeof(tail));
	return tail.generation == generation && tail.flags & ENDPOINT_USABLE;
}

#endif
