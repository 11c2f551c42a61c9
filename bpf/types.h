/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Structs shared with user space. Their codecs are generated from the compiled object's BTF (scripts/codegen.ts),
 * so this file is the only place where a layout is written down. Fixed-width, naturally aligned, no padding left open.
 *
 * What is edited in place under traffic is one aligned 64-bit word: the kernel copies values without locking readers out. The agent
 * stores such words by a program (libshim/words.c), for the kernel's copying may be seen half done within a word too.
 */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include <linux/types.h>
#include <stdbool.h>

/* An IP address in network order; IPv4 as IPv4-mapped (::ffff:a.b.c.d), so that one code path serves both families. */
struct address {
	__u32 words[4];
};

/*
 * What an application connects to. Port 0 with protocol 0: the VIP itself, for ports that have no entry of their own.
 * With FRONTEND_RANGE in `protocol` the first word of `address` is a range's id, as `ranges` gives it, and the others are 0.
 */
struct frontend_key {
	struct address address;
	__be16 port;
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, or 0; FRONTEND_RANGE */
	__u8 zero;
};

enum frontend_flag {
	FRONTEND_RANGE = 0x80, /* in `protocol` */
};

/* Addresses that begin alike (cidrVips); as the kernel's LPM tries want it. */
struct range_key {
	__u32 prefix_length; /* in bits, of the 128 */
	struct address address;
};

/* One word; as in `frontends` it says whose it is: `tag` is range_tag() of the key, tied to the id. */
struct range {
	__u32 id; /* never used again for another range */
	__u32 tag;
} __attribute__((aligned(8)));

/*
 * One word. The kernel may hand a deleted or replaced element's memory to another key while a reader still looks at it,
 * so the word says whose it is: `tag` is frontend_tag() of the key, tied to the id.
 */
struct frontend {
	__u32 service_port; /* index into `services` */
	__u32 tag;
} __attribute__((aligned(8)));

/*
 * Frontends as map `frontends` has them, two to a cache line, in the line that the tag of their key says. A copy that is seen half
 * written is not believed, as the word says whose it is; then `frontends` is asked.
 */
struct frontend_way {
	struct frontend_key key; /* all 0: free */
	__u32 zero;
	struct frontend frontend;
};

struct frontend_line {
	struct frontend_way first, second;
};

/* The endpoints of one rank, one word. */
struct tier {
	__u32 slot; /* in `records` */
	__u32 count; /* TIER_* and entries in the record; TIER_WEIGHTED: rows of an alias table, two entries each */
} __attribute__((aligned(8)));

enum tier_flag {
	TIER_WEIGHTED = 0x80000000u, /* in `count` */
	/* In `count`: some endpoint maps this port, so that UDP without a usable one is refused. In this word, for it changes with it. */
	TIER_MAPPED = 0x40000000u,
};

struct service_port {
	/* one word: */
	__u16 flags; /* SERVICE_* */
	__u16 choices; /* SERVICE_LEAST_REQUEST: of how many at random, 2 to MOST_CHOICES */
	__u32 limit; /* key in `connection_limits`; 0: none */
	struct tier tier;
};

enum service_flag {
	SERVICE_LEAVE = 1, /* the destination stays as it is */
	/* How an endpoint is chosen; at most one of these, and at random by weight where there is none. */
	SERVICE_ROUND_ROBIN = 2, /* in turn */
	SERVICE_LEAST_REQUEST = 4, /* of some at random the one with the fewest connections */
	SERVICE_RING_HASH = 8, /* by the client, on a ring */
	SERVICE_MAGLEV = 16, /* by the client, from a table */
};

enum bound {
	MOST_CHOICES = 32, /* in a service port */
	NO_CONNECTIONS = 0x80000000u, /* in endpoint_connections */
};

/*
 * An entry of a record. Unweighted: {0, endpoint}. Weighted: row i is entries 2i {threshold, endpoint} and
 * 2i+1 {alias row, alias endpoint}: a number below the threshold, at random or of the turn, picks the first. With
 * SERVICE_LEAST_REQUEST the rows' weights follow: 2 * rows + i is {weight, endpoint}. SERVICE_RING_HASH: {point, endpoint}, by point;
 * a client gets the first one at or after its own, or the very first. SERVICE_MAGLEV: {0, endpoint}.
 */
struct record_entry {
	__u32 threshold;
	__u32 endpoint; /* index into `endpoints` */
} __attribute__((aligned(8)));

/*
 * One backend of one service port. The address is written only while nothing refers to the index. Index 0 is never given out:
 * an inner map of zeros, which somebody else put into a slot, names nobody.
 */
struct endpoint {
	struct address address;
	/* one word: */
	__be16 port; /* target port */
	__u16 flags; /* ENDPOINT_* */
	__u32 generation; /* another one each time the index is given to another endpoint; 0: it never was */
} __attribute__((aligned(8)));

enum endpoint_flag {
	ENDPOINT_USABLE = 1,
};

/* One word. As in `frontends` it says whose it is: `tag` is the limit's id, tied to `most`. */
struct connection_limit {
	__u32 most; /* connections at a time */
	__u32 tag;
} __attribute__((aligned(8)));

/*
 * How many connections an endpoint has (SERVICE_LEAST_REQUEST), one word: what is left over when an endpoint's index is given to
 * another one does not count.
 */
struct endpoint_connections {
	__u32 active; /* and NO_CONNECTIONS, so that taking one off never borrows from the generation */
	__u32 generation; /* of the endpoint that has them */
} __attribute__((aligned(8)));

/*
 * Which sockets have their peer in `socket_peers`, by cookie: way w of bucket b is peer b * BUCKET_WAYS + w. One cache line, so
 * that finding nothing costs little.
 */
struct socket_bucket {
	__u32 displaced; /* how many found this bucket full and are in their second one */
	__u32 holders; /* of those whose first bucket this is, how many hold something: socket_peer.held */
	__u64 cookies
		[7]; /* 0: free; a socket takes a way by compare-and-exchange and is then its only writer */
};

#define BUCKET_WAYS 7

/* What a socket is connected to. */
struct socket_peer {
	__u64 seal; /* seal_of(cookie, everything below but the last word) */
	struct address vip; /* what the application asked for */
	struct address backend; /* what it got */
	__be16 vip_port;
	__be16 backend_port;
	__u32 endpoint;
	__u32 generation;
	__u32 held; /* the id of the limit that the connection counts under, 0: none; HELD_ENDPOINT */
	/* Outside the seal: the cookie of the socket whose SYN nobody answered in time; sockops sets it, connect clears it. */
	__u64 unanswered;
}; /* a cache line in all */

enum held_flag {
	HELD_ENDPOINT =
		0x80000000u, /* in `held`: the connection counts in `endpoint_connections` */
};

/* What an unconnected UDP socket has sent to, and what its answers are to be called. */
struct flow_key {
	__u64 cookie;
	struct address address; /* FLOW_SENT: the VIP; FLOW_REPLY: the backend; FLOW_HEAD: 0 */
	__be16 port;
	__u16 role; /* FLOW_* */
	__u32 zero;
};

enum flow_role {
	FLOW_HEAD, /* the first of the socket's list */
	FLOW_SENT, /* (socket, VIP, port) -> backend */
	FLOW_REPLY, /* (socket, backend, port) -> VIP */
};

struct flow {
	__u64 seal; /* seal_of(cookie, everything below) */
	struct address other; /* FLOW_SENT: the backend; FLOW_REPLY: the VIP */
	struct address next; /* with next_port and next_role: the next flow of this socket */
	__be16 other_port;
	__be16 next_port;
	__u16 next_role; /* FLOW_HEAD ends the list */
	__u16 zero;
	__u32 endpoint;
	__u32 generation;
};

/* A connect or send that was refused, for the log: never one per connection that goes well. */
struct refusal_event {
	struct address address;
	__be16 port;
	__u16 protocol;
	__u32 pid; /* of the process (tgid), in the agent's first namespace */
	__u32 limit; /* the one that is reached; 0: no endpoint may be used */
	__u8 command[16];
};

/* Connects to one endpoint that failed, one after the other; one word. */
struct connect_failures {
	__u32 in_a_row; /* since the last one that did not */
	__u32 generation; /* of the endpoint that they belong to */
} __attribute__((aligned(8)));

/* How a connect failed. */
enum failure {
	FAILURE_REFUSED, /* ECONNREFUSED: a reset, or an ICMP message that the port is closed */
	FAILURE_TIMED_OUT,
	FAILURE_RESET, /* in a handshake that both sides began */
	FAILURE_UNREACHABLE, /* an ICMP message, or nobody has the address */
	FAILURE_GIVEN_UP, /* the application closed the socket after a SYN had been left without an answer */
	FAILURES,
};

/* So many connects to an endpoint have failed in a row that somebody should know. */
struct failure_event {
	__u32 endpoint;
	__u32 generation;
	__u32 in_a_row;
	__u32 failure; /* how the last one failed: enum failure */
};

/* Features of this kernel, probed by the agent, not guessed from a version; and what is switched on. */
struct settings {
	__u32 bucket_mask; /* buckets in `socket_buckets`, a power of two, less 1 */
	__u32 line_mask; /* lines in `frontend_lines`, a power of two, less 1 */
	__u32 has_ranges; /* `ranges` has had an element */
	__u32 has_set_retval; /* bpf_set_retval in connect and sendmsg (5.18): a refusal's errno; else it is EPERM */
	/* Each time that so many connects to an endpoint have failed in a row, it is told; 0: nobody looks. */
	__u32 consecutive_failures;
	__u32 has_mptcp; /* bpf_skc_to_mptcp_sock in connect (5.19, with type information), and there is MPTCP */
};

/* Indexes into `counters`. */
enum counter {
	COUNTER_TCP_BALANCED,
	COUNTER_UDP_BALANCED,
	COUNTER_TCP_REFUSED,
	COUNTER_UDP_REFUSED,
	COUNTER_STATE_FULL, /* connects balanced without per-socket state */
	COUNTER_SEND_REFUSED_FULL, /* unconnected sends refused because the per-socket state is full */
	COUNTER_EXEMPT, /* sockets of the agent left alone */
	COUNTER_BROKEN, /* a word named something that is not there: never, unless someone else edits the maps */
	COUNTER_EVENTS_LOST, /* refusals that were counted but not logged: the ring was full */
	/* Connects that failed, in the order of enum failure. */
	COUNTER_ENDPOINT_REFUSED,
	COUNTER_ENDPOINT_TIMED_OUT,
	COUNTER_ENDPOINT_RESET,
	COUNTER_ENDPOINT_UNREACHABLE,
	COUNTER_ENDPOINT_GIVEN_UP,
	COUNTER_FAILURE_EVENTS_LOST, /* the ring was full: it is told again after as many more failures */
	COUNTER_TCP_OVER_LIMIT, /* of those in COUNTER_TCP_REFUSED: the limit of connections was reached */
	COUNTER_NOT_LIMITED, /* connects under a limit that cannot count them: of MPTCP, and of those in COUNTER_STATE_FULL */
	COUNTERS,
};

#endif
