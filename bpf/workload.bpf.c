// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Balances every TCP and UDP connect() and every UDP sendto() of a cgroup that goes to a service VIP.
 *
 *   connect4, connect6          choose a backend, rewrite the destination, remember the VIP
 *   sendmsg4, sendmsg6          the same per datagram of an unconnected UDP socket, one backend per (socket, VIP, port)
 *   recvmsg4, recvmsg6          a reply comes from the VIP
 *   getpeername4, getpeername6  the peer is the VIP
 *   sock_release                forget
 *
 * Kernel 5.15 or later; what needs more is a feature probed by the agent (maps.h).
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "failures.h"
#include "udp.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ALLOW 1
#define DENY 0

static __always_inline int refuse(int error)
{
	if (settings.has_set_retval)
		bpf_set_retval(-error);
	return DENY;
}

static __always_inline bool is_exempt(struct bpf_sock_addr *ctx)
{
	return ctx->sk && bpf_sk_storage_get(&exempt_sockets, ctx->sk, 0, 0);
}

/*
 * Whether a connection is one of an MPTCP socket's. The kernel opens it, and runs no sock_release when it ends; getpeername asks for the
 * MPTCP socket, whose cookie is another.
 */
static __always_inline bool is_subflow(struct bpf_sock_addr *ctx)
{
	return settings.has_mptcp && ctx->sk && bpf_skc_to_mptcp_sock(ctx->sk);
}

/* `family` is the hook's, known when compiling: each hook may write its own family's fields only. */
static __always_inline void rewrite(struct bpf_sock_addr *ctx, int family,
				    const struct address *address, __be16 port)
{
	if (family == 4)
		write_address4(ctx, address);
	else
		write_address6(ctx, address);
	ctx->user_port = port;
}

/* A connect that weft refuses ends what the socket had before. @limit: the one that is reached, or 0 */
static __always_inline int refuse_tcp(const struct destination *to, __u64 cookie, __u32 id,
				      __u32 limit)
{
	forget_peer(cookie);
	if (limit)
		count(COUNTER_TCP_OVER_LIMIT);
	count_refusal(to, id, limit);
	return refuse(limit ? ECONNREFUSED : EHOSTUNREACH);
}

static __always_inline int connect_tcp(struct bpf_sock_addr *ctx, int family,
				       const struct destination *to, __u64 cookie)
{
	struct backend backend = {};
	struct route route = {};
	__u32 held = 0;
	bool has_end; /* that sock_release will see */
	enum verdict verdict = judge(to, &route);

	if (verdict != VERDICT_LEAVE && is_exempt(ctx)) {
		count(COUNTER_EXEMPT);
		verdict = VERDICT_LEAVE;
	}
	if (verdict == VERDICT_LEAVE) {
		forget_peer(cookie);
		return ALLOW;
	}
	if (verdict == VERDICT_REFUSE)
		return refuse_tcp(to, cookie, route.id, 0);
	has_end = !is_subflow(ctx);
	if (route.limit && has_end) {
		/* The kernel runs this with the socket locked. What it holds of an earlier connect is free for this one. */
		forget_peer(cookie);
		if (!take_connection(route.limit, &held))
			return refuse_tcp(to, cookie, route.id, route.limit);
	}
	/* Only now: what the limit refuses is nobody's turn. */
	if (!pick(ctx, &route, &backend)) {
		give_back(held, 0, 0);
		return refuse_tcp(to, cookie, route.id, 0);
	}
	if (route.flags & SERVICE_LEAST_REQUEST && has_end &&
	    count_connection(backend.endpoint, backend.generation))
		held |= HELD_ENDPOINT;
	if (!has_end || !remember_peer(cookie, to, &backend, held)) {
		/* Nobody would know when it ends. */
		give_back(held, backend.endpoint, backend.generation);
		if (has_end)
			count(COUNTER_STATE_FULL);
		if (route.limit)
			count(COUNTER_NOT_LIMITED);
	}
	rewrite(ctx, family, &backend.address, backend.port);
	count(COUNTER_TCP_BALANCED);
	count_hit(backend.endpoint);
	return ALLOW;
}

/*
 * A UDP socket without a local port has sent nothing yet, so there is no use in looking for what it sent: sending and connecting
 * bind it. (Disconnecting unbinds it again, but then it has been connected.)
 */
static __always_inline bool is_new(struct bpf_sock_addr *ctx, bool was_connected)
{
	return !was_connected && ctx->sk && ctx->sk->src_port == 0;
}

static __always_inline int connect_udp(struct bpf_sock_addr *ctx, int family,
				       const struct destination *to, __u64 cookie)
{
	struct socket_peer peer = {};
	struct backend backend = {};
	struct route route = {};
	enum verdict verdict = judge(to, &route);
	bool had_peer;

	if (verdict != VERDICT_LEAVE && is_exempt(ctx)) {
		count(COUNTER_EXEMPT);
		verdict = VERDICT_LEAVE;
	}
	if (verdict == VERDICT_LEAVE) {
		forget_peer(cookie);
		return ALLOW;
	}
	had_peer = find_peer(cookie, &peer);
	if (had_peer && reuse_peer(&peer, to, &backend)) {
		rewrite(ctx, family, &backend.address, backend.port);
		return ALLOW;
	}
	if (is_new(ctx, had_peer) || !reuse_sent(cookie, to, &backend)) {
		if (verdict == VERDICT_REFUSE || !pick(ctx, &route, &backend)) {
			count_refusal(to, route.id, 0);
			return refuse(EHOSTUNREACH);
		}
		count(COUNTER_UDP_BALANCED);
		count_hit(backend.endpoint);
	}
	if (had_peer) {
		/* The socket turns to another VIP: what it had is kept for when it comes back. */
		struct backend old = {
			.address = peer.backend,
			.port = peer.backend_port,
			.endpoint = peer.endpoint,
			.generation = peer.generation,
		};
		remember_sent(cookie, &peer.vip, peer.vip_port, &old);
	}
	if (!remember_peer(cookie, to, &backend, 0))
		count(COUNTER_STATE_FULL);
	rewrite(ctx, family, &backend.address, backend.port);
	return ALLOW;
}

static __always_inline int send_udp(struct bpf_sock_addr *ctx, int family,
				    const struct destination *to, __u64 cookie)
{
	struct socket_peer peer = {};
	struct backend backend = {};
	struct route route = {};
	enum verdict verdict = judge(to, &route);

	if (verdict != VERDICT_LEAVE && is_exempt(ctx)) {
		count(COUNTER_EXEMPT);
		verdict = VERDICT_LEAVE;
	}
	if (verdict == VERDICT_LEAVE) {
		forget_reply(cookie, to);
		return ALLOW;
	}
	if (!(find_peer(cookie, &peer) && reuse_peer(&peer, to, &backend)) &&
	    !reuse_sent(cookie, to, &backend)) {
		if (verdict == VERDICT_REFUSE || !pick(ctx, &route, &backend)) {
			count_refusal(to, route.id, 0);
			return refuse(EHOSTUNREACH);
		}
		if (!remember_sent(cookie, &to->address, to->port, &backend))
			goto full;
		count(COUNTER_UDP_BALANCED);
		count_hit(backend.endpoint);
	}
	if (!remember_reply(cookie, to, &backend))
		goto full;
	rewrite(ctx, family, &backend.address, backend.port);
	return ALLOW;
full:
	/* Without state the answer would come from an address that the application never heard of. */
	count(COUNTER_SEND_REFUSED_FULL);
	return refuse(ENOBUFS);
}

static __always_inline int connect(struct bpf_sock_addr *ctx, int family,
				   const struct address *address)
{
	struct destination to = { .address = *address,
				  .port = ctx->user_port,
				  .protocol = ctx->protocol };

	if (to.protocol == IPPROTO_TCP && ctx->type == 1 /* SOCK_STREAM */)
		return connect_tcp(ctx, family, &to, bpf_get_socket_cookie(ctx));
	if (to.protocol == IPPROTO_UDP)
		return connect_udp(ctx, family, &to, bpf_get_socket_cookie(ctx));
	return ALLOW;
}

static __always_inline int send(struct bpf_sock_addr *ctx, int family,
				const struct address *address)
{
	struct destination to = { .address = *address,
				  .port = ctx->user_port,
				  .protocol = ctx->protocol };

	if (to.protocol == IPPROTO_UDP)
		return send_udp(ctx, family, &to, bpf_get_socket_cookie(ctx));
	return ALLOW;
}

static __always_inline int receive(struct bpf_sock_addr *ctx, int family,
				   const struct address *address)
{
	struct destination vip = {};

	if (name_of_sender(bpf_get_socket_cookie(ctx), address, ctx->user_port, &vip))
		rewrite(ctx, family, &vip.address, vip.port);
	return ALLOW;
}

static __always_inline int getpeername(struct bpf_sock_addr *ctx, int family,
				       const struct address *address)
{
	struct socket_peer peer = {};

	if (find_peer(bpf_get_socket_cookie(ctx), &peer) &&
	    peer.backend_port == (__u16)ctx->user_port && same_address(&peer.backend, address))
		rewrite(ctx, family, &peer.vip, peer.vip_port);
	return ALLOW;
}

#define HOOK(name, family, step)                           \
	SEC("cgroup/" #name #family)                       \
	int weft_##name##family(struct bpf_sock_addr *ctx) \
	{                                                  \
		struct address address;                    \
                                                           \
		read_address##family(ctx, &address);       \
		return step(ctx, family, &address);        \
	}

HOOK(connect, 4, connect)
HOOK(connect, 6, connect)
HOOK(sendmsg, 4, send)
HOOK(sendmsg, 6, send)
HOOK(recvmsg, 4, receive)
HOOK(recvmsg, 6, receive)
HOOK(getpeername, 4, getpeername)
HOOK(getpeername, 6, getpeername)

/* Closed in the middle of a connect. */
static __always_inline void give_up(__u64 cookie)
{
	struct socket_peer peer = {};

	if (find_peer(cookie, &peer) && peer.unanswered == cookie)
		count_failure(&peer, FAILURE_GIVEN_UP);
}

SEC("cgroup/sock_release")
int weft_sock_release(struct bpf_sock *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	if (settings.consecutive_failures && ctx->state == BPF_TCP_SYN_SENT)
		give_up(cookie);
	forget_peer(cookie);
	if (ctx->protocol == IPPROTO_UDP)
		forget_flows(cookie);
	return ALLOW;
}
