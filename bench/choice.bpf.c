// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Chooses a backend as bpf/workload.bpf.c does, over the same maps, and does nothing else: nothing is remembered, counted or released,
 * and no socket is exempt. What a connect() costs beyond this is what weft does besides choosing; what this costs is reading the mesh.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "../bpf/lb.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline bool find_backend(struct bpf_sock_addr *ctx, const struct address *address,
					 struct backend *backend)
{
	struct destination to = { .address = *address,
				  .port = ctx->user_port,
				  .protocol = ctx->protocol };
	struct route route = {};

	return judge(&to, &route) == VERDICT_BALANCE && pick(ctx, &route, backend);
}

#define HOOK(family)                                                  \
	SEC("cgroup/connect" #family)                                 \
	int weft_connect##family(struct bpf_sock_addr *ctx)           \
	{                                                             \
		struct backend backend = {};                          \
		struct address address;                               \
                                                                      \
		read_address##family(ctx, &address);                  \
		if (find_backend(ctx, &address, &backend)) {          \
			write_address##family(ctx, &backend.address); \
			ctx->user_port = backend.port;                \
		}                                                     \
		return 1;                                             \
	}

HOOK(4)
HOOK(6)
