// SPDX-License-Identifier: Apache-2.0
/*
 * Connects at a steady pace over the loopback of a network namespace of its own, and tells where each connection ended up.
 *
 *   churn PER_SECOND SECONDS VIP_PORT TARGET_PORT VIP...
 *
 * A server on TARGET_PORT of all addresses answers with the address that it was reached at: the endpoint's. VIPs are IPv4 and
 * taken in turn. Says "ready", then one record a connection: start (ns, CLOCK_REALTIME), VIP (from 0), endpoint's address
 * (network order), errno, 0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct record {
	uint64_t start;
	uint32_t vip;
	uint32_t endpoint;
	uint32_t error;
	uint32_t zero;
};

static void fail(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter_namespace(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		fail("a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		fail("bringing lo up");
	close(fd);
}

static void *serve(void *argument)
{
	int listener = *(int *)argument;

	for (;;) {
		struct sockaddr_in here;
		socklen_t size = sizeof(here);
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (!getsockname(fd, (struct sockaddr *)&here, &size))
			send(fd, &here.sin_addr, sizeof(here.sin_addr), MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static int start_server(uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	static int listener;
	pthread_t thread;
	int one = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 4096))
		fail("listening");
	return pthread_create(&thread, NULL, serve, &listener);
}

/* Fills in the endpoint that answered, or the error. */
static void connect_once(const struct sockaddr_in *to, struct record *record)
{
	struct timeval limit = { .tv_sec = 10 };
	struct linger reset = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	/* No port stays in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
		record->error = errno;
	} else {
		ssize_t got = recv(fd, &record->endpoint, sizeof(record->endpoint), MSG_WAITALL);

		if (got != sizeof(record->endpoint))
			record->error = got < 0 ? errno : EPIPE;
	}
	close(fd);
}

static uint64_t now_on(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int main(int count, char **arguments)
{
	uint64_t per_second, total, begin;
	uint16_t vip_port;

	if (count < 6) {
		fprintf(stderr, "usage: churn PER_SECOND SECONDS VIP_PORT TARGET_PORT VIP...\n");
		return 2;
	}
	per_second = strtoull(arguments[1], NULL, 10);
	total = per_second * strtoull(arguments[2], NULL, 10);
	vip_port = atoi(arguments[3]);
	enter_namespace();
	if (start_server(atoi(arguments[4])))
		fail("a thread");
	fputs("ready\n", stdout);
	fflush(stdout);
	begin = now_on(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t due = begin + i * 1000000000 / per_second;
		struct timespec until = { .tv_sec = due / 1000000000, .tv_nsec = due % 1000000000 };
		struct record record = { .vip = i % (count - 5) };
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(vip_port) };

		inet_pton(AF_INET, arguments[5 + record.vip], &to.sin_addr);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		record.start = now_on(CLOCK_REALTIME);
		connect_once(&to, &record);
		fwrite(&record, sizeof(record), 1, stdout);
	}
	return fflush(stdout) ? 1 : 0;
}
