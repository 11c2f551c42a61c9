/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* A reader that takes its time between a tier's word and the record: what bpf/lb.h calls where a test asks for it. */
#ifndef WEFT_SLOW_READER_H
#define WEFT_SLOW_READER_H

/* Written by the test (`ns`) and by the reader, read by the test. */
struct slow_reader {
	__u64 ns; /* how long the next reader is to wait; it takes this away, so that only one does */
	__u64 came; /* readers that have begun to wait */
	__u64 went; /* readers that have waited */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slow_reader);
} slow_readers SEC(".maps");

static long is_over(__u32 index, void *end)
{
	for (int i = 0; i < 64; i++)
		if (bpf_ktime_get_ns() >= *(__u64 *)end)
			return 1;
	return 0;
}

static __always_inline void before_record(void)
{
	__u32 key = 0;
	struct slow_reader *slow = bpf_map_lookup_elem(&slow_readers, &key);
	__u64 end;

	if (!slow || !slow->ns)
		return;
	end = __sync_lock_test_and_set(&slow->ns, 0);
	if (!end)
		return;
	end += bpf_ktime_get_ns();
	__sync_fetch_and_add(&slow->came, 1);
	bpf_loop(1 << 23, is_over, &end, 0); /* 5.17 */
	__sync_fetch_and_add(&slow->went, 1);
}

#endif
