// SPDX-License-Identifier: Apache-2.0
/* Blocking socket calls with a time limit: what probes need. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "weft.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* An IPv4-mapped address on an AF_INET socket is passed as AF_INET. */
static socklen_t to_sockaddr(int fd, const uint8_t address[18], struct sockaddr_storage *to)
{
	int domain = AF_INET6;
	socklen_t size = sizeof(domain);

	memset(to, 0, sizeof(*to));
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	if (domain == AF_INET) {
		struct sockaddr_in *in = (void *)to;

		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, address + 12, 4);
		memcpy(&in->sin_port, address + 16, 2);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in = (void *)to;

		in->sin6_family = AF_INET6;
		memcpy(&in->sin6_addr, address, 16);
		memcpy(&in->sin6_port, address + 16, 2);
		return sizeof(*in);
	}
}

static void from_sockaddr(const struct sockaddr_storage *from, uint8_t address[18])
{
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		memcpy(address, mapped, 12);
		memcpy(address + 12, &in->sin_addr, 4);
		memcpy(address + 16, &in->sin_port, 2);
	} else {
		const struct sockaddr_in6 *in = (const void *)from;

		memcpy(address, &in->sin6_addr, 16);
		memcpy(address + 16, &in->sin6_port, 2);
	}
}

int weft_socket_timeout(int fd, uint32_t milliseconds)
{
	struct timeval limit = { milliseconds / 1000, milliseconds % 1000 * 1000 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return -errno;
	return 0;
}

int weft_socket_bind(int fd, const uint8_t address[18])
{
	struct sockaddr_storage to;
	socklen_t size = to_sockaddr(fd, address, &to);

	return bind(fd, (struct sockaddr *)&to, size) ? -errno : 0;
}

int weft_socket_listen(int fd)
{
	return listen(fd, 128) ? -errno : 0;
}

int weft_socket_accept(int fd)
{
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	return accepted < 0 ? -errno : accepted;
}

int weft_socket_connect(int fd, const uint8_t address[18])
{
	struct sockaddr_storage to;
	socklen_t size = to_sockaddr(fd, address, &to);

	return connect(fd, (struct sockaddr *)&to, size) ? -errno : 0;
}

int weft_socket_send(int fd, const void *bytes, uint32_t size, const uint8_t *address)
{
	struct sockaddr_storage to;
	socklen_t to_size = address ? to_sockaddr(fd, address, &to) : 0;
	ssize_t sent = sendto(fd, bytes, size, MSG_NOSIGNAL,
			      address ? (struct sockaddr *)&to : NULL, to_size);

	return sent < 0 ? -errno : (int)sent;
}

int weft_socket_receive(int fd, void *bytes, uint32_t size, uint8_t *address)
{
	struct sockaddr_storage from = {};
	socklen_t from_size = sizeof(from);
	ssize_t got = recvfrom(fd, bytes, size, 0, address ? (struct sockaddr *)&from : NULL,
			       address ? &from_size : NULL);

	if (got < 0)
		return -errno;
	if (address)
		from_sockaddr(&from, address);
	return got;
}

int weft_socket_name(int fd, uint8_t address[18])
{
	struct sockaddr_storage name = {};
	socklen_t size = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &size))
		return -errno;
	from_sockaddr(&name, address);
	return 0;
}

int weft_socket_peer(int fd, uint8_t address[18])
{
	struct sockaddr_storage name = {};
	socklen_t size = sizeof(name);

	if (getpeername(fd, (struct sockaddr *)&name, &size))
		return -errno;
	from_sockaddr(&name, address);
	return 0;
}
