// SPDX-License-Identifier: Apache-2.0
/*
 * Servers that answer each connection and each datagram with `NAME CLIENT`, followed by what the datagram said; over `talk`,
 * which is TCP, whatever is said on a connection is answered so, until the client closes it. Prints `ready` when all listen,
 * and ends when its standard input does.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "peer.h"

enum role {
	ROLE_INPUT,
	ROLE_LISTENER,
	ROLE_CONNECTION,
	ROLE_DATAGRAMS,
	ROLE_TALK_LISTENER,
	ROLE_TALK,
};

struct watched {
	enum role role;
	int fd;
	const char *name; /* the server's */
};

static void watch(int epoll, int fd, enum role role, const char *name)
{
	struct watched *watched = malloc(sizeof(*watched));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watched };

	*watched = (struct watched){ .role = role, .fd = fd, .name = name };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		fail("cannot watch a file descriptor: %s", strerror(errno));
}

/* Reads NAME=tcp/ADDRESS/PORT, NAME=udp/... or NAME=talk/..., which it takes apart in place. */
static void listen_at(int epoll, char *name)
{
	char *specification = name + strcspn(name, "=");
	bool talks = !strncmp(specification, "=talk/", 6);
	bool is_tcp = talks || !strncmp(specification, "=tcp/", 5);
	union any_address address;
	socklen_t length;
	int fd, on = 1, queue = 64;

	if (!is_tcp && strncmp(specification, "=udp/", 5))
		fail("none of NAME=tcp/..., NAME=udp/..., NAME=talk/...: %s", name);
	*specification = 0;
	specification += talks ? 6 : 5;
	length = parse_target(specification, &address);
	fd = socket(address.any.sa_family,
		    (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (is_tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	if (fd < 0 || bind(fd, &address.any, length) || (is_tcp && listen(fd, 4096)))
		fail("%s cannot listen at %s: %s", name, specification, strerror(errno));
	watch(epoll, fd,
	      talks    ? ROLE_TALK_LISTENER
	      : is_tcp ? ROLE_LISTENER
		       : ROLE_DATAGRAMS,
	      name);
}

static void accept_all(int epoll, int listener, const char *name)
{
	char answer[256], text[ADDRESS_TEXT];
	union any_address client;

	for (;;) {
		socklen_t length = sizeof(client);
		int size,
			fd = accept4(listener, &client.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		size = snprintf(answer, sizeof(answer), "%s %s", name,
				format_address(&client, text));
		if (send(fd, answer, size, 0) < 0 || shutdown(fd, SHUT_WR)) {
			close(fd);
			continue;
		}
		/* Closed when the client has closed: earlier, with something unread, would reset the connection. */
		watch(epoll, fd, ROLE_CONNECTION, name);
	}
}

static void accept_talk(int epoll, int listener, const char *name)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		watch(epoll, fd, ROLE_TALK, name);
}

static void answer_talk(struct watched *connection)
{
	char said[1024], answer[2048], text[ADDRESS_TEXT];
	union any_address client;
	socklen_t length = sizeof(client);
	int fd = connection->fd, size;
	ssize_t got = recv(fd, said, sizeof(said), 0);

	if (got > 0 && !getpeername(fd, &client.any, &length)) {
		size = snprintf(answer, sizeof(answer), "%s %s %.*s", connection->name,
				format_address(&client, text), (int)got, said);
		if (send(fd, answer, size, MSG_NOSIGNAL) == size)
			return;
	} else if (got < 0 && errno == EAGAIN) {
		return;
	}
	close(fd);
	free(connection);
}

static void drain(struct watched *connection)
{
	int fd = connection->fd;
	char ignored[4096];
	ssize_t got;

	while ((got = recv(fd, ignored, sizeof(ignored), 0)) > 0)
		;
	if (got == 0 || errno != EAGAIN) {
		close(fd);
		free(connection);
	}
}

static void answer_all(int fd, const char *name)
{
	char question[1024], answer[2048], text[ADDRESS_TEXT];
	union any_address client;

	for (;;) {
		socklen_t length = sizeof(client);
		ssize_t got = recvfrom(fd, question, sizeof(question), 0, &client.any, &length);
		int size;

		/* ECONNREFUSED: a client went before its answer came. */
		if (got < 0 && errno == ECONNREFUSED)
			continue;
		if (got < 0)
			return;
		size = snprintf(answer, sizeof(answer), "%s %s %.*s", name,
				format_address(&client, text), (int)got, question);
		sendto(fd, answer, size, 0, &client.any, length);
	}
}

int serve(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[64];
	char ignored[256];

	for (int i = 0; i < argc; i++)
		listen_at(epoll, argv[i]);
	watch(epoll, STDIN_FILENO, ROLE_INPUT, NULL);
	puts("ready");
	for (;;) {
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			struct watched *watched = events[i].data.ptr;

			switch (watched->role) {
			case ROLE_INPUT:
				if (read(watched->fd, ignored, sizeof(ignored)) <= 0)
					return 0;
				break;
			case ROLE_LISTENER:
				accept_all(epoll, watched->fd, watched->name);
				break;
			case ROLE_CONNECTION:
				drain(watched);
				break;
			case ROLE_TALK_LISTENER:
				accept_talk(epoll, watched->fd, watched->name);
				break;
			case ROLE_TALK:
				answer_talk(watched);
				break;
			case ROLE_DATAGRAMS:
				answer_all(watched->fd, watched->name);
				break;
			}
		}
	}
}
