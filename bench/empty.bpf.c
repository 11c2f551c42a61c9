// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Programs that do nothing, on the hooks of bpf/workload.bpf.c and bpf/sockops.bpf.c: what running any program costs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HOOK(name)                                 \
	SEC("cgroup/" #name)                       \
	int weft_##name(struct bpf_sock_addr *ctx) \
	{                                          \
		(void)ctx;                         \
		return 1;                          \
	}

HOOK(connect4)
HOOK(connect6)
HOOK(sendmsg4)
HOOK(sendmsg6)
HOOK(recvmsg4)
HOOK(recvmsg6)
HOOK(getpeername4)
HOOK(getpeername6)

SEC("cgroup/sock_release")
int weft_sock_release(struct bpf_sock *ctx)
{
	(void)ctx;
	return 1;
}

SEC("sockops")
int weft_sockops(struct bpf_sock_ops *ctx)
{
	(void)ctx;
	return 1;
}
