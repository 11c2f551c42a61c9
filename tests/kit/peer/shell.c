// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets by remote control: reads one command a line, answers each with one line of JSON, `{"error":"ECONNREFUSED"}` where the
 * system call failed. A socket is named by its file descriptor. It ends with its standard input.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "peer.h"

#define WORDS 8

static void answer_error(int error)
{
	printf("{\"error\":\"%s\"}\n", strerrorname_np(error));
}

static void answer_result(long result)
{
	if (result < 0)
		answer_error(errno);
	else
		puts("{}");
}

static void do_socket(char **words)
{
	int fd = open_kind(words[1]);

	if (fd < 0)
		return answer_error(errno);
	set_timeout(fd, atol(words[2]));
	printf("{\"fd\":%d}\n", fd);
}

static void do_bind(char **words)
{
	union any_address address;
	socklen_t length = parse_address(words[2], words[3], &address);

	answer_result(bind(atoi(words[1]), &address.any, length));
}

static void do_connect(char **words)
{
	union any_address address;
	socklen_t length = parse_address(words[2], words[3], &address);

	answer_result(connect(atoi(words[1]), &address.any, length));
}

static void do_disconnect(char **words)
{
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	answer_result(connect(atoi(words[1]), &nowhere, sizeof(nowhere)));
}

static void do_nonblock(char **words)
{
	answer_result(fcntl(atoi(words[1]), F_SETFL, O_NONBLOCK));
}

/* Waits until a connect is done, and gives its error. */
static void do_wait(char **words)
{
	struct pollfd ready = { .fd = atoi(words[1]), .events = POLLOUT };
	socklen_t length = sizeof(int);
	int error = 0;

	if (poll(&ready, 1, atoi(words[2])) != 1)
		return answer_error(ETIMEDOUT);
	if (getsockopt(ready.fd, SOL_SOCKET, SO_ERROR, &error, &length))
		error = errno;
	if (error)
		answer_error(error);
	else
		puts("{}");
}

static void do_send(char **words)
{
	answer_result(send(atoi(words[1]), words[2], strlen(words[2]), 0));
}

static void send_to(char **words, int flags)
{
	union any_address address;
	socklen_t length = parse_address(words[3], words[4], &address);

	answer_result(
		sendto(atoi(words[1]), words[2], strlen(words[2]), flags, &address.any, length));
}

static void do_sendto(char **words)
{
	send_to(words, 0);
}

static void do_fastopen(char **words)
{
	send_to(words, MSG_FASTOPEN);
}

static void do_receive(char **words)
{
	union any_address from = {};
	socklen_t length = sizeof(from);
	char text[2048], address[ADDRESS_TEXT];
	ssize_t got = recvfrom(atoi(words[1]), text, sizeof(text) - 1, 0, &from.any, &length);

	if (got < 0)
		return answer_error(errno);
	text[got] = 0;
	printf("{\"text\":\"%s\",\"from\":\"%s\"}\n", text, format_address(&from, address));
}

static void answer_name(int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
	union any_address address = {};
	socklen_t length = sizeof(address);
	char text[ADDRESS_TEXT];

	if (name(fd, &address.any, &length))
		return answer_error(errno);
	printf("{\"address\":\"%s\"}\n", format_address(&address, text));
}

static void do_peer(char **words)
{
	answer_name(atoi(words[1]), getpeername);
}

static void do_name(char **words)
{
	answer_name(atoi(words[1]), getsockname);
}

static void do_close(char **words)
{
	answer_result(close(atoi(words[1])));
}

/* Opens and connects many sockets, and keeps them. */
static void do_many(char **words)
{
	union any_address address;
	socklen_t length = parse_address(words[3], words[4], &address);
	long count = atol(words[2]), done = 0;

	printf("{\"fds\":[");
	while (done < count) {
		int fd = open_kind(words[1]);

		if (fd < 0 || connect(fd, &address.any, length))
			break;
		set_timeout(fd, atol(words[5]));
		printf("%s%d", done++ ? "," : "", fd);
	}
	printf("]");
	if (done < count)
		printf(",\"error\":\"%s\"", strerrorname_np(errno));
	puts("}");
}

/* Puts another file in the place of one, for this process alone. */
static void do_cover(char **words)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return answer_error(errno);
	answer_result(mount(words[1], words[2], NULL, MS_BIND, NULL));
}

static void do_getaddrinfo(char **words)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *one;
	int error = getaddrinfo(words[1], words[2], &hints, &list);
	char text[ADDRESS_TEXT];

	if (error) {
		printf("{\"error\":\"%s\"}\n", gai_strerror(error));
		return;
	}
	printf("{\"addresses\":[");
	for (one = list; one; one = one->ai_next)
		printf("%s\"%s\"", one == list ? "" : ",",
		       format_address((const union any_address *)one->ai_addr, text));
	puts("]}");
	freeaddrinfo(list);
}

static const struct {
	const char *name;
	int words; /* the command's own included */
	void (*run)(char **words);
} commands[] = {
	{ "socket", 3, do_socket }, /* KIND TIMEOUT */
	{ "bind", 4, do_bind }, /* FD ADDRESS PORT */
	{ "connect", 4, do_connect }, /* FD ADDRESS PORT */
	{ "disconnect", 2, do_disconnect }, /* FD */
	{ "nonblock", 2, do_nonblock }, /* FD */
	{ "wait", 3, do_wait }, /* FD TIMEOUT */
	{ "send", 3, do_send }, /* FD TEXT */
	{ "sendto", 5, do_sendto }, /* FD TEXT ADDRESS PORT */
	{ "fastopen", 5, do_fastopen }, /* FD TEXT ADDRESS PORT */
	{ "receive", 2, do_receive }, /* FD */
	{ "peer", 2, do_peer }, /* FD */
	{ "name", 2, do_name }, /* FD */
	{ "close", 2, do_close }, /* FD */
	{ "many", 6, do_many }, /* KIND COUNT ADDRESS PORT TIMEOUT */
	{ "cover", 3, do_cover }, /* FILE PLACE */
	{ "getaddrinfo", 3, do_getaddrinfo }, /* NAME PORT */
};

static void run_line(char *line)
{
	char *words[WORDS + 1];
	int count = 0;

	for (char *word = strtok(line, " \n"); word && count < WORDS; word = strtok(NULL, " \n"))
		words[count++] = word;
	for (unsigned int i = 0; count && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(words[0], commands[i].name) && count == commands[i].words) {
			commands[i].run(words);
			return;
		}
	}
	fail("no such command, or not so many words: %s", count ? words[0] : "(nothing)");
}

int shell(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;

	(void)argc;
	(void)argv;
	puts("ready");
	while (getline(&line, &size, stdin) > 0)
		run_line(line);
	return 0;
}
