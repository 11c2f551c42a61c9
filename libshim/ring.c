// SPDX-License-Identifier: Apache-2.0
/* A ring buffer's records, copied out: nothing calls back into the runtime. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "weft.h"

struct ring {
	struct ring_buffer *buffer;
	uint8_t *to;
	uint32_t size, used, lost;
};

static int copy_record(void *context, void *record, size_t size)
{
	struct ring *ring = context;
	uint32_t length = size, padded = (sizeof(length) + length + 7) & ~7u;

	if (ring->used + padded > ring->size) {
		ring->lost++;
		return 0;
	}
	memcpy(ring->to + ring->used, &length, sizeof(length));
	memcpy(ring->to + ring->used + sizeof(length), record, length);
	ring->used += padded;
	return 0;
}

int weft_ring_open(int map_fd, void **out)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	ring->buffer = ring_buffer__new(map_fd, copy_record, ring, NULL);
	if (!ring->buffer) {
		int error = -errno;

		free(ring);
		return error;
	}
	*out = ring;
	return 0;
}

int weft_ring_read(void *handle, void *buffer, uint32_t size, uint32_t *lost)
{
	struct ring *ring = handle;
	int error;

	ring->to = buffer;
	ring->size = size;
	ring->used = 0;
	ring->lost = 0;
	error = ring_buffer__consume(ring->buffer);
	*lost = ring->lost;
	return error < 0 ? error : (int)ring->used;
}

int weft_ring_close(void *handle)
{
	struct ring *ring = handle;

	ring_buffer__free(ring->buffer);
	free(ring);
	return 0;
}
