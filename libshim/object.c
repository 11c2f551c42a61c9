// SPDX-License-Identifier: Apache-2.0
/* BPF objects: open from memory, set sizes, load, with libbpf's words kept for the error. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "weft.h"

/* Where this thread's libbpf messages go while one of the calls below runs. */
static _Thread_local struct {
	char *text;
	uint32_t size;
	uint32_t used;
} capture;

static void append(const char *text, uint32_t length)
{
	if (length >= capture.size) {
		text += length - (capture.size - 1);
		length = capture.size - 1;
	}
	if (capture.used + length >= capture.size) {
		/* The end of a verifier log says what is wrong: drop from the front. */
		uint32_t drop = capture.used + length - (capture.size - 1);

		memmove(capture.text, capture.text + drop, capture.used - drop);
		capture.used -= drop;
	}
	memcpy(capture.text + capture.used, text, length);
	capture.used += length;
	capture.text[capture.used] = 0;
}

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *message = NULL;
	int length;

	if (level == LIBBPF_DEBUG || !capture.size)
		return 0;
	length = vasprintf(&message, format, arguments);
	if (length < 0)
		return 0;
	append(message, length);
	free(message);
	return 0;
}

static void start_capture(char *log, uint32_t size)
{
	capture.text = log;
	capture.size = size;
	capture.used = 0;
	if (size)
		log[0] = 0;
	libbpf_set_print(print);
}

static void end_capture(void)
{
	capture.size = 0;
}

int weft_object_open(const void *bytes, uint64_t size, const char *name, char *log,
		     uint32_t log_size, void **object)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);

	start_capture(log, log_size);
	*object = bpf_object__open_mem(bytes, size, &options);
	end_capture();
	return *object ? 0 : -errno;
}

static struct bpf_map *find_map(void *object, const char *name)
{
	return bpf_object__find_map_by_name(object, name);
}

int weft_object_reuse_map(void *object, const char *map, int fd)
{
	struct bpf_map *found = find_map(object, map);

	return found ? bpf_map__reuse_fd(found, fd) : -ENOENT;
}

int weft_object_set_initial(void *object, const char *map, uint32_t offset, const void *bytes,
			    uint32_t size)
{
	struct bpf_map *found = NULL;
	size_t map_size;
	char *initial;

	/* libbpf names data sections after the object; the section's own name is what callers know. */
	bpf_object__for_each_map(found, object)
	{
		const char *name = bpf_map__name(found);
		size_t length = strlen(name), wanted = strlen(map);

		if (length >= wanted && !strcmp(name + length - wanted, map))
			break;
	}
	if (!found)
		return -ENOENT;
	initial = (char *)bpf_map__initial_value(found, &map_size);
	if (!initial || offset + (size_t)size > map_size)
		return -EINVAL;
	memcpy(initial + offset, bytes, size);
	return 0;
}

int weft_object_load(void *object, char *log, uint32_t log_size)
{
	int error;

	start_capture(log, log_size);
	error = bpf_object__load(object);
	end_capture();
	return error;
}

int weft_object_map(void *object, const char *name)
{
	struct bpf_map *found = find_map(object, name);

	return found ? bpf_map__fd(found) : -ENOENT;
}

int weft_object_program(void *object, const char *name)
{
	struct bpf_program *found = bpf_object__find_program_by_name(object, name);

	return found ? bpf_program__fd(found) : -ENOENT;
}

int weft_object_close(void *object)
{
	bpf_object__close(object);
	return 0;
}

int weft_probe_helper(int program_type, int helper)
{
	return libbpf_probe_bpf_helper(program_type, helper, NULL);
}
