// SPDX-License-Identifier: Apache-2.0
/* Map operations, single and batched. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include <bpf/bpf.h>

#include "weft.h"

int weft_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size,
		    uint32_t max_entries, uint32_t flags, int inner_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags,
		    .inner_map_fd = inner_fd < 0 ? 0 : inner_fd);

	return bpf_map_create(type, name, key_size, value_size, max_entries, &options);
}

int weft_map_info(int fd, uint32_t out[6], char *name)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int error = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (error)
		return error;
	out[0] = info.id;
	out[1] = info.type;
	out[2] = info.key_size;
	out[3] = info.value_size;
	out[4] = info.max_entries;
	out[5] = info.map_flags;
	memcpy(name, info.name, sizeof(info.name));
	return 0;
}

int weft_map_memory(int fd, uint64_t *bytes)
{
	char path[32], line[128];
	int error = -ENOENT;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (error && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %" SCNu64, bytes) == 1)
			error = 0;
	fclose(file);
	return error;
}

int weft_map_by_id(uint32_t id)
{
	return bpf_map_get_fd_by_id(id);
}

int weft_map_lookup(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value);
}

int weft_map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	return bpf_map_update_elem(fd, key, value, flags);
}

int weft_map_delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key);
}

int weft_map_update_batch(int fd, const void *keys, const void *values, uint32_t *count)
{
	return bpf_map_update_batch(fd, keys, values, count, NULL);
}

int weft_map_delete_batch(int fd, const void *keys, uint32_t *count)
{
	return bpf_map_delete_batch(fd, keys, count, NULL);
}

int weft_map_lookup_batch(int fd, const void *in, void *out, void *keys, void *values,
			  uint32_t *count)
{
	int error = bpf_map_lookup_batch(fd, (void *)in, out, keys, values, count, NULL);

	return error == -ENOENT ? 1 : error;
}

int64_t weft_map_count_words(int fd, uint32_t value_size, uint32_t max_entries, uint32_t at,
			     uint32_t words)
{
	size_t size = (size_t)value_size * max_entries;
	const uint8_t *values = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	int64_t count = 0;

	if (values == MAP_FAILED)
		return -errno;
	for (uint32_t i = 0; i < max_entries; i++) {
		const volatile uint64_t *value =
			(const volatile uint64_t *)(values + (size_t)i * value_size + at);

		for (uint32_t word = 0; word < words; word++)
			count += value[word] != 0;
	}
	munmap((void *)values, size);
	return count;
}

/*
 * A put into an array of maps waits for an RCU grace period, and before 6.8 so does each look-up (bpf_map_copy_value). Threads
 * overlap the waits: each does every `step`th slot of the job.
 */
struct share {
	int (*one)(const struct share *share, uint32_t i);
	int outer_fd;
	const uint32_t *slots; /* to publish in */
	const int *inner_fds; /* to publish */
	uint32_t *ids; /* to read into */
	uint32_t first, count, step;
	int error;
};

static int publish_one(const struct share *share, uint32_t i)
{
	return bpf_map_update_elem(share->outer_fd, &share->slots[i], &share->inner_fds[i],
				   BPF_ANY);
}

static int read_one(const struct share *share, uint32_t i)
{
	int error = bpf_map_lookup_elem(share->outer_fd, &i, &share->ids[i]);

	if (error != -ENOENT)
		return error;
	share->ids[i] = 0;
	return 0;
}

static void *do_share(void *argument)
{
	struct share *share = argument;

	for (uint32_t i = share->first; i < share->count && !share->error; i += share->step)
		share->error = share->one(share, i);
	return NULL;
}

#define MAX_THREADS 256

static int do_all(const struct share *job, uint32_t threads)
{
	struct share shares[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	int error = 0;

	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	if (threads > job->count)
		threads = job->count;
	for (uint32_t i = 0; i < threads; i++) {
		shares[i] = *job;
		shares[i].first = i;
		shares[i].step = threads;
		if (!i || pthread_create(&ids[i], NULL, do_share, &shares[i]))
			ids[i] = 0;
	}
	/* The first share, and those that got no thread, are this thread's. */
	for (uint32_t i = 0; i < threads; i++)
		if (!ids[i])
			do_share(&shares[i]);
	for (uint32_t i = 0; i < threads; i++) {
		if (ids[i])
			pthread_join(ids[i], NULL);
		if (!error)
			error = shares[i].error;
	}
	return error;
}

int weft_map_publish(int outer_fd, const uint32_t *slots, const int *inner_fds, uint32_t count,
		     uint32_t threads)
{
	struct share job = { .one = publish_one,
			     .outer_fd = outer_fd,
			     .slots = slots,
			     .inner_fds = inner_fds,
			     .count = count };

	return threads ? do_all(&job, threads)
		       : bpf_map_update_batch(outer_fd, slots, inner_fds, &count, NULL);
}

static int create_array(const char *name, uint32_t value_size, uint32_t max_entries, uint32_t flags,
			uint32_t *id)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int fd = weft_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), value_size,
				 max_entries, flags, -1);
	int error = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &size);

	if (error) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	*id = info.id;
	return fd;
}

int weft_map_publish_new(int outer_fd, const char *name, uint32_t value_size, uint32_t flags,
			 const uint32_t *slots, const uint32_t *max_entries, uint32_t *ids,
			 uint32_t count, uint32_t threads)
{
	int *fds = calloc(count, sizeof(*fds));
	uint32_t created = 0;
	int error = fds ? 0 : -ENOMEM;

	for (; !error && created < count; created++) {
		fds[created] =
			create_array(name, value_size, max_entries[created], flags, &ids[created]);
		if (fds[created] < 0) {
			error = fds[created];
			break;
		}
	}
	if (!error)
		error = weft_map_publish(outer_fd, slots, fds, count, threads);
	while (created)
		close(fds[--created]);
	free(fds);
	return error;
}

int weft_map_read_slots(int outer_fd, uint32_t *ids, uint32_t count, uint32_t threads)
{
	struct share job = { .one = read_one, .outer_fd = outer_fd, .ids = ids, .count = count };

	return do_all(&job, threads ? threads : 1);
}

int weft_grace_period(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
}
