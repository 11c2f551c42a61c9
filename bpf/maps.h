/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Every map with who writes and who reads it. Sizes are set by the agent before loading; those here are placeholders. */
#ifndef WEFT_MAPS_H
#define WEFT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "types.h"

/* Written by the agent, read by connect and sendmsg. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct frontend_key);
	__type(value, struct frontend);
} frontends SEC(".maps");

/*
 * Most of `frontends` once more (not whole VIPs, nor what finds no way free), where they take one cache line to find instead of a
 * bucket and an element of two lines (docs/benchmarks.md). Written by the agent, read by connect and sendmsg before `frontends`.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frontend_line);
} frontend_lines SEC(".maps");

/* Written by the agent, read by connect and sendmsg where `frontends` has nothing, and only if there are ranges. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct range_key);
	__type(value, struct range);
} ranges SEC(".maps");

/* Written by the agent, read by connect and sendmsg. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct service_port);
} services SEC(".maps");

/* A record; lengths differ (BPF_F_INNER_MAP, kernel 5.10). */
struct record {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record_entry);
};

/* Written by the agent (slots as well as records), read by connect and sendmsg. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct record);
} records SEC(".maps");

/* Written by the agent, read by connect and sendmsg. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct endpoint);
} endpoints SEC(".maps");

/*
 * How often each endpoint was chosen, by endpoint index. Written by connect and sendmsg; the agent reads it, and resets
 * an index only while nothing refers to it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} endpoint_hits SEC(".maps");

/* How often each service port refused. As `endpoint_hits`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} refusals SEC(".maps");

/*
 * How many turns each service port has given (SERVICE_ROUND_ROBIN). Written and read by connect and sendmsg only. Any number is a turn:
 * a service port goes on from where the id's last owner was, and all begin anew in a larger generation.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} turns SEC(".maps");

/*
 * How many connections each endpoint has, by endpoint index, as SERVICE_LEAST_REQUEST asks: of one element until a service port does.
 * Written by connect and sock_release; a larger generation begins with a copy.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct endpoint_connections);
} endpoint_connections SEC(".maps");

/*
 * Which endpoints fail, by endpoint index: written by sockops and sock_release. Counted anew where the index has become another
 * endpoint's. Element 0: failures.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct connect_failures);
} connect_failures SEC(".maps");

/* What is told of them. Written by sockops and sock_release; the agent reads from time to time, nobody is woken. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384);
} failure_events SEC(".maps");

/* Written by all programs, read by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/*
 * Per-socket state of connected sockets: an entry is taken by connect, freed by sock_release, read by getpeername, recvmsg
 * and sendmsg; the agent reads how many there are. A table of our own in two arrays: taking and freeing an entry costs some
 * tens of ns, where a hash map's update and delete cost 400 (docs/benchmarks.md). Pinned apart from the maps above: it outlives
 * their generations.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct socket_bucket);
} socket_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct socket_peer);
} socket_peers SEC(".maps");

/*
 * Per-socket state of unconnected UDP: written by sendmsg and connect, deleted by sock_release; the agent deletes those
 * whose socket's FLOW_HEAD is gone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

/*
 * The most connections that a cluster may have, by the limit's id. Written by the agent, read by connect. Pinned with the per-socket
 * state, which names the ids.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct connection_limit);
} connection_limits SEC(".maps");

/*
 * How many it has. The agent puts an element in with 0 before anything names the id, and takes it out after nothing names it and
 * it is 0; counted by connect and sock_release only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} active_connections SEC(".maps");

/* Sockets that the agent opened for itself are never rewritten. Written by the agent (by file descriptor), gone with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} exempt_sockets SEC(".maps");

/* Refusals, for the log. Written by connect and sendmsg; the agent reads from time to time, nobody is woken. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

/* Never read: it makes clang write these layouts into BTF, from which user space's codecs are generated. */
const volatile struct {
	struct record_entry record_entry;
	struct refusal_event refusal_event;
	struct failure_event failure_event;
	enum failure failure;
	enum frontend_flag frontend_flag;
	enum tier_flag tier_flag;
	enum service_flag service_flag;
	enum endpoint_flag endpoint_flag;
	enum flow_role flow_role;
	enum held_flag held_flag;
	enum bound bound;
	enum counter counter;
} layouts = {};

/* Set by the agent before loading; the verifier then sees constants and drops what is switched off. */
const volatile struct settings settings SEC(".rodata.settings") = {};

#endif
