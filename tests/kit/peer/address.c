// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "peer.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

socklen_t parse_address(const char *address, const char *port, union any_address *to)
{
	char *end;
	unsigned long number = strtoul(port, &end, 10);

	if (end == port || *end || number > 65535)
		fail("not a port: %s", port);
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, address, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(number);
		return sizeof(to->v4);
	}
	if (inet_pton(AF_INET6, address, &to->v6.sin6_addr) == 1) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = htons(number);
		return sizeof(to->v6);
	}
	fail("not an address: %s", address);
}

socklen_t parse_target(char *target, union any_address *to)
{
	char *slash = strchr(target, '/');

	if (!slash)
		fail("not ADDRESS/PORT: %s", target);
	*slash = 0;
	return parse_address(target, slash + 1, to);
}

const char *format_address(const union any_address *from, char text[ADDRESS_TEXT])
{
	char address[INET6_ADDRSTRLEN];

	if (from->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &from->v4.sin_addr, address, sizeof(address));
		snprintf(text, ADDRESS_TEXT, "%s:%u", address, ntohs(from->v4.sin_port));
	} else if (from->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &from->v6.sin6_addr, address, sizeof(address));
		snprintf(text, ADDRESS_TEXT, "[%s]:%u", address, ntohs(from->v6.sin6_port));
	} else {
		strcpy(text, "none");
	}
	return text;
}

int open_kind(const char *kind)
{
	static const struct {
		const char *name;
		int family, type, protocol;
	} kinds[] = {
		{ "tcp4", AF_INET, SOCK_STREAM, IPPROTO_TCP },
		{ "tcp6", AF_INET6, SOCK_STREAM, IPPROTO_TCP },
		{ "udp4", AF_INET, SOCK_DGRAM, IPPROTO_UDP },
		{ "udp6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
		{ "mptcp4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP },
		{ "mptcp6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP },
	};

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kind, kinds[i].name))
			return socket(kinds[i].family, kinds[i].type | SOCK_CLOEXEC,
				      kinds[i].protocol);
	}
	fail("not a kind of socket: %s", kind);
}

void set_timeout(int fd, long milliseconds)
{
	struct timeval time = { milliseconds / 1000, milliseconds % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	/* Also how long connect() waits. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}
