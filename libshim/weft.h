/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim: what TypeScript cannot do itself, and no policy.
 *
 * Every call returns a negative errno on failure. File descriptors are returned as they are (0 or more) and belong to the
 * caller, unless said otherwise; all are close-on-exec. Addresses are 18 bytes: 16 of address (IPv4 as IPv4-mapped)
 * and 2 of port, both in network order.
 */
#ifndef WEFT_SHIM_H
#define WEFT_SHIM_H

#include <stdint.h>

#define WEFT_EXPORT __attribute__((visibility("default")))

/* object.c: BPF objects. `log` receives what libbpf and the verifier said, as text, cut at the front if it is too long. */
WEFT_EXPORT int weft_object_open(const void *bytes, uint64_t size, const char *name, char *log,
				 uint32_t log_size, void **object);
WEFT_EXPORT int weft_object_reuse_map(void *object, const char *map, int fd);
WEFT_EXPORT int weft_object_set_initial(void *object, const char *map, uint32_t offset,
					const void *bytes, uint32_t size);
WEFT_EXPORT int weft_object_load(void *object, char *log, uint32_t log_size);
/* The descriptors of these two belong to the object and close with it. */
WEFT_EXPORT int weft_object_map(void *object, const char *name);
WEFT_EXPORT int weft_object_program(void *object, const char *name);
WEFT_EXPORT int weft_object_close(void *object);
/* 1: this kernel has the helper for programs of this type; 0: it has not. */
WEFT_EXPORT int weft_probe_helper(int program_type, int helper);

/* link.c: programs on hooks, pins, and what the kernel says of them. */
WEFT_EXPORT int weft_link_create(int program_fd, int cgroup_fd, int attach_type);
WEFT_EXPORT int weft_link_update(int link_fd, int program_fd);
WEFT_EXPORT int weft_link_detach(int link_fd);
/* out: id, program id, cgroup id (0: the cgroup is gone and the link severed), attach type */
WEFT_EXPORT int weft_link_info(int link_fd, uint64_t out[4]);
WEFT_EXPORT int weft_pin(int fd, const char *path);
WEFT_EXPORT int weft_open_pin(const char *path);
/* out: id, type, number of maps, run time in ns, runs; name: 16 bytes */
WEFT_EXPORT int weft_program_info(int program_fd, uint64_t out[5], char *name);
WEFT_EXPORT int weft_program_by_id(uint32_t id);
/* The number of programs that run for the cgroup on this hook (its own and its ancestors'); ids of the first `capacity`. */
WEFT_EXPORT int weft_program_query(int cgroup_fd, int attach_type, uint32_t *ids,
				   uint32_t capacity);
/* Run times are counted while the returned descriptor is open. */
WEFT_EXPORT int weft_enable_stats(void);

/* words.c */
/*
 * Loads a program that stores values of so many 64-bit words (16 at most) into an array, or into the arrays of an array of maps,
 * each word at once. Returns its file descriptor.
 */
WEFT_EXPORT int weft_word_writer(int map_fd, uint32_t words, int is_outer);
/*
 * Runs it over `*count` writes: index or slot, position in the slot's array (32 bits each), the words. `*count` becomes the number
 * done, also on failure; -ENOENT: there is no such element.
 */
WEFT_EXPORT int weft_write_words(int program_fd, uint32_t words, const void *writes,
				 uint32_t *count);

/* map.c */
WEFT_EXPORT int weft_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size,
				uint32_t max_entries, uint32_t flags, int inner_fd);
/* out: id, type, key size, value size, max entries, flags; name: 16 bytes */
WEFT_EXPORT int weft_map_info(int fd, uint32_t out[6], char *name);
/* The kernel memory that the map is charged with (`memlock` in its fdinfo). */
WEFT_EXPORT int weft_map_memory(int fd, uint64_t *bytes);
WEFT_EXPORT int weft_map_by_id(uint32_t id);
WEFT_EXPORT int weft_map_lookup(int fd, const void *key, void *value);
WEFT_EXPORT int weft_map_update(int fd, const void *key, const void *value, uint64_t flags);
WEFT_EXPORT int weft_map_delete(int fd, const void *key);
/* The first `*count` elements; `*count` becomes the number done, also on failure. */
WEFT_EXPORT int weft_map_update_batch(int fd, const void *keys, const void *values,
				      uint32_t *count);
WEFT_EXPORT int weft_map_delete_batch(int fd, const void *keys, uint32_t *count);
/* `in` is NULL at first, then the last `out` (both hold a key). Returns 1 at the end of the map; then `*count` still holds. */
WEFT_EXPORT int weft_map_lookup_batch(int fd, const void *in, void *out, void *keys, void *values,
				      uint32_t *count);
/*
 * How many of the 64-bit words in a part of each value of an array are not 0: `words` of them from byte `at` on, a multiple of 8 as the
 * value's size is. The array has BPF_F_MMAPABLE: it is looked at where it lies, for reading it out takes 20 times as long.
 */
WEFT_EXPORT int64_t weft_map_count_words(int fd, uint32_t value_size, uint32_t max_entries,
					 uint32_t at, uint32_t words);
/*
 * Puts maps into slots of an array of maps. Each put waits for an RCU grace period, a batch (5.19) for one in all since
 * 6.8. `threads` 0: one batch; else the puts are dealt to that many threads, whose waits overlap.
 */
WEFT_EXPORT int weft_map_publish(int outer_fd, const uint32_t *slots, const int *inner_fds,
				 uint32_t count, uint32_t threads);
/*
 * The same with new, empty arrays, whose descriptors are closed again; `ids` receives their ids. On failure some slots may have
 * got theirs.
 */
WEFT_EXPORT int weft_map_publish_new(int outer_fd, const char *name, uint32_t value_size,
				     uint32_t flags, const uint32_t *slots,
				     const uint32_t *max_entries, uint32_t *ids, uint32_t count,
				     uint32_t threads);
/* The ids of the maps in slots 0 to count - 1 of an array of maps; 0: empty. `threads` as above, at least 1. */
WEFT_EXPORT int weft_map_read_slots(int outer_fd, uint32_t *ids, uint32_t count, uint32_t threads);
/* Waits until every reader that could have seen an older value is done: membarrier(2), CMD_GLOBAL. */
WEFT_EXPORT int weft_grace_period(void);

/* ring.c: a ring buffer's records. */
WEFT_EXPORT int weft_ring_open(int map_fd, void **ring);
/* Copies what is there, each record behind its length (4 bytes), padded to 8; returns the bytes used. Those that do not fit are lost. */
WEFT_EXPORT int weft_ring_read(void *ring, void *buffer, uint32_t size, uint32_t *lost);
WEFT_EXPORT int weft_ring_close(void *ring);

/* host.c: sockets that belong to a cgroup and a network namespace of one's choosing, and what else the host offers. */
/* `cgroup_fd`, `netns_fd` -1: the caller's. */
WEFT_EXPORT int weft_socket(int cgroup_fd, int netns_fd, int domain, int type, int protocol);
/* A new network namespace with its loopback up. It lives while the descriptor or a socket in it does. */
WEFT_EXPORT int weft_netns_create(void);
WEFT_EXPORT int weft_mount_bpffs(const char *path);
/* Creates the file if need be, mode 0600, and locks it for as long as the descriptor is open; -EWOULDBLOCK: somebody has it. */
WEFT_EXPORT int weft_lock_file(const char *path);
/* For calls that take a cgroup or a namespace. */
WEFT_EXPORT int weft_open_directory(const char *path);
WEFT_EXPORT int weft_close(int fd);

/* socket.c: blocking calls with a time limit in milliseconds. */
WEFT_EXPORT int weft_socket_timeout(int fd, uint32_t milliseconds);
WEFT_EXPORT int weft_socket_bind(int fd, const uint8_t address[18]);
WEFT_EXPORT int weft_socket_listen(int fd);
WEFT_EXPORT int weft_socket_accept(int fd);
WEFT_EXPORT int weft_socket_connect(int fd, const uint8_t address[18]);
WEFT_EXPORT int weft_socket_send(int fd, const void *bytes, uint32_t size, const uint8_t *address);
WEFT_EXPORT int weft_socket_receive(int fd, void *bytes, uint32_t size, uint8_t *address);
WEFT_EXPORT int weft_socket_name(int fd, uint8_t address[18]);
WEFT_EXPORT int weft_socket_peer(int fd, uint8_t address[18]);

#endif
