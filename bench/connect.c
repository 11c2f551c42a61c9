// SPDX-License-Identifier: Apache-2.0
/*
 * Times socket(), connect(), getpeername() and close() of sockets that belong to different cgroups, in random order, in one
 * process on one CPU over the loopback of a network namespace of its own.
 *
 * A socket belongs to the cgroup of the task that creates it, for good: each round this process joins one variant's cgroup
 * after the other and creates a batch of sockets there, then connects and closes all of them in random order. So whatever
 * disturbs the machine disturbs all variants alike, and no context switch lies between two measurements. Nobody waits in
 * accept(): accepted connections are taken off the queues between rounds, because waking another task would cost more than
 * what is measured. Sockets are closed by RST, so no port stays in TIME_WAIT.
 *
 *   connect PROTOCOL ROUNDS BATCH CPU < plan > samples
 *
 * PROTOCOL is tcp or udp. The plan:
 *   listen CGROUP PORT        a listener for IPv4 and one for IPv6 that belong to that cgroup (tcp)
 *   variant CGROUP            sockets of the targets that follow belong to that cgroup, and getpeername shows the target
 *   nameless CGROUP           the same, but getpeername shows what it likes
 *   target ADDRESS PORT       where one of them goes, chosen at random
 * Samples are six 32-bit words: round, variant (from 0), and ns for socket, connect, getpeername, close. The time that
 * reading the clock takes is subtracted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_VARIANTS 8
#define MAX_LISTENERS 64

/* As small as can be: many of them must not push what is measured out of the caches. */
struct target {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
};

struct variant {
	char cgroup[4096];
	bool is_nameless; /* getpeername need not show the target */
	struct target *targets;
	uint32_t count, capacity;
};

/* One socket of a round. */
struct attempt {
	int fd;
	uint32_t variant;
	struct target target;
	uint32_t socket_ns;
};

struct sample {
	uint32_t round, variant, socket_ns, connect_ns, peer_ns, close_ns;
};

static struct variant variants[MAX_VARIANTS];
static uint32_t variant_count;
static int listeners[MAX_LISTENERS];
static uint32_t listener_count;
static uint64_t clock_ns;

static _Noreturn void fail(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	va_start(arguments, format);
	fputs("connect: ", stderr);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("write %s to %s", text, path);
	close(fd);
}

/* Moves this process; 0 stands for the writer. */
static void join_cgroup(const char *cgroup)
{
	char path[sizeof(variants[0].cgroup) + 16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	write_file(path, "0");
}

static void enter_namespace(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		fail("create a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fail("set the loopback up");
	close(fd);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "10000 65535");
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("stay on CPU %d", cpu);
	/* As little as possible of other work in between; where it is not allowed the medians do without. */
	setpriority(PRIO_PROCESS, 0, -20);
}

static void add_listener(int domain, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (listener_count == MAX_LISTENERS || fd < 0)
		fail("create listener %u", listener_count);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (domain == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, domain == AF_INET ? (void *)&in : (void *)&in6,
		 domain == AF_INET ? sizeof(in) : sizeof(in6)) ||
	    listen(fd, 4096))
		fail("listen on port %u", port);
	listeners[listener_count++] = fd;
}

static socklen_t size_of(const struct target *target)
{
	return target->address.any.sa_family == AF_INET ? sizeof(target->address.in)
							: sizeof(target->address.in6);
}

static void add_target(struct variant *variant, const char *address, uint16_t port)
{
	struct target target = {};
	struct sockaddr_in *in = &target.address.in;
	struct sockaddr_in6 *in6 = &target.address.in6;

	errno = EINVAL;
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	} else {
		fail("target %s", address);
	}
	if (variant->count == variant->capacity) {
		variant->capacity = variant->capacity ? variant->capacity * 2 : 16;
		variant->targets = realloc(variant->targets, variant->capacity * sizeof(target));
		if (!variant->targets)
			fail("remember %u targets", variant->capacity);
	}
	variant->targets[variant->count++] = target;
}

static void add_variant(const char *cgroup, bool is_nameless)
{
	errno = EINVAL;
	if (variant_count == MAX_VARIANTS)
		fail("more than %d variants", MAX_VARIANTS);
	strcpy(variants[variant_count].cgroup, cgroup);
	variants[variant_count++].is_nameless = is_nameless;
}

static void read_plan(void)
{
	char line[8192], word[4096];
	unsigned int port;

	while (fgets(line, sizeof(line), stdin)) {
		errno = EINVAL;
		if (sscanf(line, "listen %4095s %u", word, &port) == 2) {
			join_cgroup(word);
			add_listener(AF_INET, port);
			add_listener(AF_INET6, port);
		} else if (sscanf(line, "variant %4095s", word) == 1) {
			add_variant(word, false);
		} else if (sscanf(line, "nameless %4095s", word) == 1) {
			add_variant(word, true);
		} else if (variant_count && sscanf(line, "target %4095s %u", word, &port) == 2) {
			add_target(&variants[variant_count - 1], word, port);
		} else {
			fail("plan: %s", line);
		}
	}
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* How long one reading takes: the least of many, so that nothing more than it is subtracted. */
static uint64_t measure_clock(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10000; i++) {
		uint64_t start = now(), ns = now() - start;

		if (ns < least)
			least = ns;
	}
	return least;
}

static uint32_t since(uint64_t start)
{
	uint64_t ns = now() - start;

	if (ns > UINT32_MAX)
		return UINT32_MAX;
	return ns > clock_ns ? ns - clock_ns : 0;
}

/* xorshift64*: fast and the same on every machine. */
static uint32_t random_below(uint32_t count)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return ((state * 0x2545f4914f6cdd1dull) >> 32) * count >> 32;
}

static void shuffle(struct attempt *attempts, uint32_t count)
{
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t other = random_below(i + 1);
		struct attempt kept = attempts[i];

		attempts[i] = attempts[other];
		attempts[other] = kept;
	}
}

static uint32_t open_batch(uint32_t which, int type, uint32_t batch, struct attempt *to)
{
	struct variant *variant = &variants[which];
	struct linger reset = { .l_onoff = 1 };

	join_cgroup(variant->cgroup);
	for (uint32_t i = 0; i < batch; i++) {
		struct target target = variant->targets[random_below(variant->count)];
		uint64_t start = now();
		int fd = socket(target.address.any.sa_family, type | SOCK_CLOEXEC, 0);

		to[i] = (struct attempt){ fd, which, target, since(start) };
		if (fd < 0)
			fail("create a socket");
		if (type == SOCK_STREAM)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	}
	return batch;
}

static struct sample measure(const struct attempt *attempt, uint32_t round)
{
	struct sample sample = { .round = round,
				 .variant = attempt->variant,
				 .socket_ns = attempt->socket_ns };
	const struct target *target = &attempt->target;
	struct target peer;
	socklen_t size = sizeof(peer);
	uint64_t start = now();

	if (connect(attempt->fd, &target->address.any, size_of(target)))
		fail("connect of variant %u", attempt->variant);
	sample.connect_ns = since(start);
	start = now();
	if (getpeername(attempt->fd, &peer.address.any, &size))
		fail("getpeername of variant %u", attempt->variant);
	sample.peer_ns = since(start);
	/* A balanced socket must show the VIP. */
	if (!variants[attempt->variant].is_nameless && memcmp(&peer, target, size_of(target))) {
		errno = EPROTO;
		fail("getpeername of variant %u is not what was asked for", attempt->variant);
	}
	start = now();
	close(attempt->fd);
	sample.close_ns = since(start);
	return sample;
}

/* Asks for the peer's address, as servers do: the kernel runs the getpeername hook for that. */
static void drain_listeners(void)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	for (uint32_t i = 0; i < listener_count; i++) {
		int fd;

		while ((fd = accept4(listeners[i], (struct sockaddr *)&peer, &size,
				     SOCK_CLOEXEC)) >= 0) {
			close(fd);
			size = sizeof(peer);
		}
		if (errno != EAGAIN)
			fail("accept");
	}
}

int main(int argc, char **argv)
{
	uint32_t rounds, batch;
	struct attempt *attempts;
	int type;

	if (argc != 5 || (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp"))) {
		fputs("usage: connect tcp|udp ROUNDS BATCH CPU < plan > samples\n", stderr);
		return 2;
	}
	type = strcmp(argv[1], "tcp") ? SOCK_DGRAM : SOCK_STREAM;
	rounds = atoi(argv[2]);
	batch = atoi(argv[3]);
	stay_on(atoi(argv[4]));
	enter_namespace();
	read_plan();
	attempts = calloc((size_t)MAX_VARIANTS * batch, sizeof(*attempts));
	if (!attempts || !variant_count || !batch)
		fail("nothing to do");
	clock_ns = measure_clock();
	for (uint32_t round = 0; round < rounds; round++) {
		uint32_t count = 0, first = random_below(variant_count);

		for (uint32_t i = 0; i < variant_count; i++)
			count += open_batch((first + i) % variant_count, type, batch,
					    attempts + count);
		shuffle(attempts, count);
		for (uint32_t i = 0; i < count; i++) {
			struct sample sample = measure(&attempts[i], round);

			fwrite(&sample, sizeof(sample), 1, stdout);
		}
		drain_listeners();
	}
	if (fflush(stdout))
		fail("write samples");
	return 0;
}
