// SPDX-License-Identifier: Apache-2.0
/*
 * Array values written so that no 64-bit word is ever seen half written.
 *
 * The kernel's own update copies a value with memcpy(), which is `rep movsb` on many processors and kernels: nothing says that
 * this stores eight bytes at once, and an emulated processor stores them one by one. So a program of type syscall (5.14) looks the
 * element up and stores each word by one instruction, as the other programs load it.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "weft.h"

enum {
	BATCH = 32, /* values in one run; unrolled, for the context can be read at constant offsets only */
	MOST_WORDS = 16, /* in a value */
	MOST_INSTRUCTIONS = 8 + BATCH * (24 + 2 * MOST_WORDS),
};

/* What a run is given: a count, and so many of these. */
struct write {
	uint32_t place; /* index; of an array of maps: slot */
	uint32_t position; /* in the inner map */
	uint64_t words[];
};

static uint32_t size_of_write(uint32_t words)
{
	return sizeof(struct write) + 8 * words;
}

static struct bpf_insn load(uint8_t size, uint8_t to, uint8_t from, int16_t offset)
{
	return (struct bpf_insn){ BPF_LDX | BPF_MEM | size, to, from, offset, 0 };
}

static struct bpf_insn store(uint8_t size, uint8_t to, int16_t offset, uint8_t from)
{
	return (struct bpf_insn){ BPF_STX | BPF_MEM | size, to, from, offset, 0 };
}

static struct bpf_insn move(uint8_t to, uint8_t from)
{
	return (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0 };
}

static struct bpf_insn immediate(uint8_t operation, uint8_t to, int32_t value)
{
	return (struct bpf_insn){ BPF_ALU64 | operation | BPF_K, to, 0, 0, value };
}

/* Over the next two instructions. */
static struct bpf_insn skip_end(uint8_t condition, uint8_t from, int32_t value)
{
	return (struct bpf_insn){ BPF_JMP | condition | BPF_K, from, 0, 2, value };
}

/* r0 = the element of the map in r1 whose 32-bit key is at `key` in the context (r6); the program ends where there is none. */
static struct bpf_insn *look_up(struct bpf_insn *at, int16_t key, int32_t done)
{
	*at++ = load(BPF_W, BPF_REG_2, BPF_REG_6, key);
	*at++ = store(BPF_W, BPF_REG_10, -4, BPF_REG_2);
	*at++ = move(BPF_REG_2, BPF_REG_10);
	*at++ = immediate(BPF_ADD, BPF_REG_2, -4);
	*at++ = (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem };
	*at++ = skip_end(BPF_JNE, BPF_REG_0, 0);
	*at++ = immediate(BPF_MOV, BPF_REG_0, done);
	*at++ = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return at;
}

int weft_word_writer(int map_fd, uint32_t words, int is_outer)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
	struct bpf_insn program[MOST_INSTRUCTIONS], *at = program;

	if (words == 0 || words > MOST_WORDS)
		return -EINVAL;
	*at++ = move(BPF_REG_6, BPF_REG_1);
	*at++ = load(BPF_W, BPF_REG_7, BPF_REG_6, 0);
	for (uint32_t i = 0; i < BATCH; i++) {
		int16_t here = 8 + i * size_of_write(words);

		*at++ = skip_end(BPF_JGT, BPF_REG_7, i);
		*at++ = immediate(BPF_MOV, BPF_REG_0, i);
		*at++ = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
		*at++ = (struct bpf_insn){ BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD,
					   0, map_fd };
		*at++ = (struct bpf_insn){};
		at = look_up(at, here + offsetof(struct write, place), i);
		if (is_outer) {
			*at++ = move(BPF_REG_1, BPF_REG_0);
			at = look_up(at, here + offsetof(struct write, position), i);
		}
		for (uint32_t word = 0; word < words; word++) {
			*at++ = load(BPF_DW, BPF_REG_1, BPF_REG_6,
				     here + offsetof(struct write, words) + 8 * word);
			*at++ = store(BPF_DW, BPF_REG_0, 8 * word, BPF_REG_1);
		}
	}
	*at++ = immediate(BPF_MOV, BPF_REG_0, BATCH);
	*at++ = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "weft_words", "Dual BSD/GPL", program,
			     at - program, &options);
}

int weft_write_words(int program_fd, uint32_t words, const void *writes, uint32_t *count)
{
	struct {
		uint32_t count, zero;
		char writes[BATCH * (sizeof(struct write) + 8 * MOST_WORDS)];
	} context = {};
	uint32_t size = size_of_write(words), all = *count;
	/* The kernel wants the context as large as the program could read it. */
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context,
		    .ctx_size_in = offsetof(typeof(context), writes) + BATCH * size);

	for (*count = 0; *count < all; *count += run.retval) {
		int error;

		context.count = all - *count < BATCH ? all - *count : BATCH;
		memcpy(context.writes, (const char *)writes + (size_t)*count * size,
		       context.count * size);
		error = bpf_prog_test_run_opts(program_fd, &run);
		if (error)
			return error;
		if (run.retval < context.count) {
			*count += run.retval;
			return -ENOENT;
		}
	}
	return 0;
}
