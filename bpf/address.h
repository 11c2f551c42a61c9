/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Addresses in and out of the hooks' contexts. Keys never depend on the hook's family. */
#ifndef WEFT_ADDRESS_H
#define WEFT_ADDRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "types.h"

static __always_inline bool same_address(const struct address *a, const struct address *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1] &&
	       a->words[2] == b->words[2] && a->words[3] == b->words[3];
}

static __always_inline bool is_ipv4(const struct address *address)
{
	return !address->words[0] && !address->words[1] && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline void read_address4(const struct bpf_sock_addr *ctx, struct address *to)
{
	to->words[0] = 0;
	to->words[1] = 0;
	to->words[2] = bpf_htonl(0xffff);
	to->words[3] = ctx->user_ip4;
}

static __always_inline void read_address6(const struct bpf_sock_addr *ctx, struct address *to)
{
	to->words[0] = ctx->user_ip6[0];
	to->words[1] = ctx->user_ip6[1];
	to->words[2] = ctx->user_ip6[2];
	to->words[3] = ctx->user_ip6[3];
}

static __always_inline void write_address4(struct bpf_sock_addr *ctx, const struct address *from)
{
	ctx->user_ip4 = from->words[3];
}

static __always_inline void write_address6(struct bpf_sock_addr *ctx, const struct address *from)
{
	ctx->user_ip6[0] = from->words[0];
	ctx->user_ip6[1] = from->words[1];
	ctx->user_ip6[2] = from->words[2];
	ctx->user_ip6[3] = from->words[3];
}

#endif
