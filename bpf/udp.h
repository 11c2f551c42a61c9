/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* UDP: a socket keeps its backend per (socket, VIP, port) while that is usable, connected or not. */
#ifndef WEFT_UDP_H
#define WEFT_UDP_H

#include "socket_state.h"

/* The backend of an earlier connect to this VIP on this socket. */
static __always_inline bool reuse_peer(const struct socket_peer *peer,
				       const struct destination *vip, struct backend *to)
{
	if (peer->vip_port != vip->port || !same_address(&peer->vip, &vip->address) ||
	    !still_usable(peer->endpoint, peer->generation))
		return false;
	to->address = peer->backend;
	to->port = peer->backend_port;
	to->endpoint = peer->endpoint;
	to->generation = peer->generation;
	return true;
}

/* The backend of an earlier datagram to this VIP on this socket. */
static __always_inline bool reuse_sent(__u64 cookie, const struct destination *vip,
				       struct backend *to)
{
	struct flow_key key = {
		.cookie = cookie, .address = vip->address, .port = vip->port, .role = FLOW_SENT
	};
	struct flow flow = {};

	if (!find_flow(&key, &flow) || !still_usable(flow.endpoint, flow.generation))
		return false;
	to->address = flow.other;
	to->port = flow.other_port;
	to->endpoint = flow.endpoint;
	to->generation = flow.generation;
	return true;
}

/* The name of a datagram's sender, where it answers for a VIP. */
static __always_inline bool name_of_sender(__u64 cookie, const struct address *from, __be16 port,
					   struct destination *vip)
{
	struct flow_key key = {
		.cookie = cookie, .address = *from, .port = port, .role = FLOW_REPLY
	};
	struct socket_peer peer = {};
	struct flow flow = {};

	if (find_flow(&key, &flow)) {
		vip->address = flow.other;
		vip->port = flow.other_port;
		return true;
	}
	if (find_peer(cookie, &peer) && peer.backend_port == port &&
	    same_address(&peer.backend, from)) {
		vip->address = peer.vip;
		vip->port = peer.vip_port;
		return true;
	}
	return false;
}

/* A datagram sent to the backend's own address is answered from there, whatever was sent to a VIP before. */
static __always_inline void forget_reply(__u64 cookie, const struct destination *to)
{
	struct flow_key key = {
		.cookie = cookie, .address = to->address, .port = to->port, .role = FLOW_REPLY
	};
	struct flow flow = {};

	if (!find_flow(&key, &flow) ||
	    (flow.other_port == to->port && same_address(&flow.other, &to->address)))
		return;
	/* It stays in the socket's list, as a name for itself. */
	flow.other = to->address;
	flow.other_port = to->port;
	put_flow(&key, &flow);
}

#endif
