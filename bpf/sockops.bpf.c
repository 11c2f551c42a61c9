// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Watches how the connects end that connect4 and connect6 balanced. Sees TCP only, and only the handshake: a socket that is
 * not weft's, or is connected, costs a run of the program that does nothing.
 *
 * Needs the kernel's type information (/sys/kernel/btf/vmlinux) for a socket's error, which no context shows.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "failures.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* As much of the kernel's own as is read here; libbpf finds the offsets when it loads the object. */
struct sock {
	int sk_err;
} __attribute__((preserve_access_index));

struct inet_sock {
	struct sock sk;
} __attribute__((preserve_access_index));

struct inet_connection_sock {
	struct inet_sock icsk_inet;
} __attribute__((preserve_access_index));

struct tcp_sock {
	struct inet_connection_sock inet_conn;
} __attribute__((preserve_access_index));

#define WATCHED (BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RTO_CB_FLAG)

/* Before the first SYN: asks to be called again when a balanced connect comes to something. */
static __always_inline void watch(struct bpf_sock_ops *ctx)
{
	struct place place = {};

	if (find_place(bpf_get_socket_cookie(ctx), &place))
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | WATCHED);
}

/* What sock_release is to know if the application closes the socket now: it forgets the peer before sockops hears of it. */
static __always_inline void note_silence(struct bpf_sock_ops *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct place place = {};
	struct socket_peer *peer;

	if (ctx->state != BPF_TCP_SYN_SENT || !find_place(cookie, &place))
		return;
	peer = peer_at(&place);
	if (peer)
		*(volatile __u64 *)&peer->unanswered = cookie;
}

/*
 * Not called again: each further run costs more than not to be called. This is before others' programs hear that the socket is
 * connected, which is when they ask for calls of their own.
 */
static __always_inline void connected(struct bpf_sock_ops *ctx)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags;
	struct place place = {};
	struct socket_peer *peer;

	if ((flags & WATCHED) != WATCHED)
		return;
	bpf_sock_ops_cb_flags_set(ctx, flags & ~WATCHED);
	if (!some_fail() || !find_place(bpf_get_socket_cookie(ctx), &place))
		return;
	peer = peer_at(&place);
	if (peer)
		forget_failures(peer->endpoint);
}

/* Why the handshake ended; FAILURES where it is not the endpoint's fault. */
static __always_inline enum failure failure_of(struct bpf_sock_ops *ctx,
					       const struct socket_peer *peer, __u64 cookie)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tcp = sk ? bpf_skc_to_tcp_sock(sk) : 0;

	if (!tcp)
		return FAILURES;
	switch (tcp->inet_conn.icsk_inet.sk.sk_err) {
	case 0: /* disconnected by the application, which may have waited long enough */
		return peer->unanswered == cookie ? FAILURE_GIVEN_UP : FAILURES;
	case ECONNREFUSED:
		return FAILURE_REFUSED;
	case ETIMEDOUT:
		return FAILURE_TIMED_OUT;
	case ECONNRESET:
		return FAILURE_RESET;
	case ECONNABORTED: /* somebody destroyed the socket */
		return FAILURES;
	default:
		return FAILURE_UNREACHABLE;
	}
}

static __always_inline void failed(struct bpf_sock_ops *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct socket_peer peer = {};
	enum failure failure;

	if (!find_peer(cookie, &peer))
		return;
	failure = failure_of(ctx, &peer, cookie);
	if (failure != FAILURES)
		count_failure(&peer, failure);
}

SEC("sockops")
int weft_sockops(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		watch(ctx);
		break;
	case BPF_SOCK_OPS_RTO_CB:
		note_silence(ctx);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		/* From SYN_SENT, or from SYN_RECV where the other side began as well. */
		if (ctx->args[1] == BPF_TCP_ESTABLISHED && ctx->args[0] == BPF_TCP_SYN_SENT)
			connected(ctx);
		else if (ctx->args[1] == BPF_TCP_CLOSE &&
			 (ctx->args[0] == BPF_TCP_SYN_SENT || ctx->args[0] == BPF_TCP_SYN_RECV))
			failed(ctx);
		break;
	}
	return 1;
}
