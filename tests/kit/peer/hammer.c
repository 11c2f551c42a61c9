// SPDX-License-Identifier: Apache-2.0
/*
 * Connects again and again, to one target after the other, and counts who answered and what went wrong. It prints `ready`,
 * and at the end (the count or the duration is reached, SIGTERM, its standard input ends) one JSON object.
 *
 *   --count N         attempts; 0, the default: no limit
 *   --duration MS     0, the default: no limit
 *   --rate N          attempts a second; 0, the default: as fast as it goes
 *   --timeout MS      for connecting and for the answer; default 2000
 *   --reuse           one socket for all attempts (UDP)
 *
 * It gives up after ten attempts that timed out: nothing good comes of waiting for thousands.
 *
 * KIND is tcp4, tcp6, udp4, udp6 (connected), send4 or send6 (UDP without connecting).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

struct options {
	long count, duration, rate, timeout;
	bool reuse;
	bool is_tcp, is_connected;
	const char *kind;
};

struct target {
	union any_address address;
	socklen_t length;
	char text[ADDRESS_TEXT];
};

/* What became of attempts, and how many had that outcome. */
struct outcome {
	const struct target *target;
	char first[ADDRESS_TEXT]; /* who seems to have answered; of a failure, what failed */
	char second[ADDRESS_TEXT]; /* the answering server's name; of a failure, the error's */
	long count;
};

#define OUTCOMES 16384
#define TIMEOUTS_UNTIL_GIVING_UP 10

struct tally {
	struct outcome outcomes[OUTCOMES];
	int used;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static bool is_timeout(int error)
{
	return error == EAGAIN || error == EINPROGRESS || error == ETIMEDOUT;
}

static int64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void tally(struct tally *in, const struct target *target, const char *first,
		  const char *second)
{
	struct outcome *outcome;

	for (int i = 0; i < in->used; i++) {
		outcome = &in->outcomes[i];
		if (outcome->target == target && !strcmp(outcome->first, first) &&
		    !strcmp(outcome->second, second)) {
			outcome->count++;
			return;
		}
	}
	if (in->used == OUTCOMES)
		fail("more than %d different outcomes", OUTCOMES);
	outcome = &in->outcomes[in->used++];
	outcome->target = target;
	outcome->count = 1;
	snprintf(outcome->first, sizeof(outcome->first), "%s", first);
	snprintf(outcome->second, sizeof(outcome->second), "%s", second);
}

static void print_tally(const struct tally *from, const char *name, const char *first,
			const char *second)
{
	printf(",\"%s\":[", name);
	for (int i = 0; i < from->used; i++) {
		const struct outcome *outcome = &from->outcomes[i];

		printf("%s{\"target\":\"%s\",\"%s\":\"%s\",\"%s\":\"%s\",\"count\":%ld}",
		       i ? "," : "", outcome->target->text, first, outcome->first, second,
		       outcome->second, outcome->count);
	}
	printf("]");
}

/* The first word of an answer is the server's name. */
static void copy_name(const char *answer, char name[ADDRESS_TEXT])
{
	size_t length = strcspn(answer, " ");

	if (length >= ADDRESS_TEXT)
		length = ADDRESS_TEXT - 1;
	memcpy(name, answer, length);
	name[length] = 0;
}

/* A TCP answer ends where the connection does. */
static ssize_t receive_all(int fd, char *answer, size_t size)
{
	size_t total = 0;

	while (total < size) {
		ssize_t got = recv(fd, answer + total, size - total, 0);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		total += got;
	}
	return total;
}

/* NULL, or what failed, with errno. `peer` and `server` tell who answered. */
static const char *attempt(const struct options *options, const struct target *target, int fd,
			   bool is_new, char peer[ADDRESS_TEXT], char server[ADDRESS_TEXT])
{
	union any_address from = {};
	socklen_t length = sizeof(from);
	char answer[1024];
	ssize_t got;

	if (fd < 0)
		return "socket";
	if (options->is_connected && is_new && connect(fd, &target->address.any, target->length))
		return "connect";
	if (!options->is_tcp) {
		got = options->is_connected
			      ? send(fd, "hello", 5, 0)
			      : sendto(fd, "hello", 5, 0, &target->address.any, target->length);
		if (got < 0)
			return "send";
	}
	if (options->is_tcp)
		got = receive_all(fd, answer, sizeof(answer) - 1);
	else
		got = recvfrom(fd, answer, sizeof(answer) - 1, 0, &from.any, &length);
	if (got < 0)
		return "receive";
	length = sizeof(from);
	if (options->is_connected && getpeername(fd, &from.any, &length))
		return "getpeername";
	answer[got] = 0;
	copy_name(answer, server);
	format_address(&from, peer);
	return NULL;
}

/* The next argument as a number. */
static long number(int argc, char **argv, int *at)
{
	char *end;
	long value;

	if (++*at >= argc)
		fail("%s needs a value", argv[*at - 1]);
	value = strtol(argv[*at], &end, 10);
	if (*end || value < 0)
		fail("not a number: %s", argv[*at]);
	return value;
}

/* Fills the options in and returns the index of the first target. */
static int parse_options(int argc, char **argv, struct options *to)
{
	int i;

	for (i = 0; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--count"))
			to->count = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--duration"))
			to->duration = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--rate"))
			to->rate = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--timeout"))
			to->timeout = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--reuse"))
			to->reuse = true;
		else
			fail("unknown option %s", argv[i]);
	}
	if (argc - i < 2)
		fail("a kind and a target are needed");
	to->is_tcp = !strncmp(argv[i], "tcp", 3);
	to->is_connected = strncmp(argv[i], "send", 4);
	to->kind = !strcmp(argv[i], "send4")   ? "udp4"
		   : !strcmp(argv[i], "send6") ? "udp6"
					       : argv[i];
	return i + 1;
}

/* Asks at most every 20 ms. */
static bool input_ended(int64_t now)
{
	static int64_t asked;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char ignored[256];

	if (now - asked < 20 * 1000000)
		return false;
	asked = now;
	return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0;
}

static void wait_until(int64_t ns)
{
	struct timespec time = { ns / 1000000000, ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

int hammer(int argc, char **argv)
{
	static struct tally answers, errors;
	struct options options = { .timeout = 2000 };
	int first = parse_options(argc, argv, &options), fd = -1;
	int target_count = argc - first;
	struct target *targets = calloc(target_count, sizeof(*targets));
	struct sigaction action = { .sa_handler = stop };
	char peer[ADDRESS_TEXT], server[ADDRESS_TEXT];
	int64_t start, last_answer, longest_gap = 0;
	long attempts = 0, timeouts = 0;

	for (int i = 0; i < target_count; i++) {
		targets[i].length = parse_target(argv[first + i], &targets[i].address);
		format_address(&targets[i].address, targets[i].text);
	}
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	start = last_answer = now_ns();
	while (!stopped && (!options.count || attempts < options.count)) {
		const struct target *target = &targets[attempts % target_count];
		bool is_new = fd < 0;
		const char *failed;
		int64_t time;

		if (options.rate)
			wait_until(start + attempts * 1000000000ll / options.rate);
		if (is_new) {
			fd = open_kind(options.kind);
			set_timeout(fd, options.timeout);
		}
		failed = attempt(&options, target, fd, is_new, peer, server);
		if (failed && errno == EINTR && stopped)
			break;
		if (failed && is_timeout(errno))
			timeouts++;
		if (failed)
			tally(&errors, target, failed, strerrorname_np(errno));
		else
			tally(&answers, target, peer, server);
		if (!options.reuse) {
			close(fd);
			fd = -1;
		}
		attempts++;
		time = now_ns();
		if (!failed) {
			if (time - last_answer > longest_gap)
				longest_gap = time - last_answer;
			last_answer = time;
		}
		if (options.duration && time - start > options.duration * 1000000ll)
			break;
		if (input_ended(time) || timeouts == TIMEOUTS_UNTIL_GIVING_UP)
			break;
	}
	printf("{\"attempts\":%ld,\"elapsedMs\":%.1f,\"longestGapMs\":%.1f", attempts,
	       (now_ns() - start) / 1e6, longest_gap / 1e6);
	print_tally(&answers, "answers", "peer", "server");
	print_tally(&errors, "errors", "operation", "error");
	printf("}\n");
	return 0;
}
