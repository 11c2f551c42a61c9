/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of the tests: servers that name themselves, clients that tell what they saw. */
#ifndef PEER_H
#define PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* address.c */
union any_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Holds any address as text. */
#define ADDRESS_TEXT 64

/* Ends the program where the text is not an address. The length for connect() and the like is returned. */
socklen_t parse_address(const char *address, const char *port, union any_address *to);
/* Reads `address/port`, which it takes apart in place. */
socklen_t parse_target(char *target, union any_address *to);
/* 10.0.0.1:80, [fd00::1]:80, [::ffff:10.0.0.1]:80 */
const char *format_address(const union any_address *from, char text[ADDRESS_TEXT]);
/* tcp4, tcp6, udp4, udp6, mptcp4, mptcp6: a new socket, or -1. Ends the program where the text is none of these. */
int open_kind(const char *kind);
void set_timeout(int fd, long milliseconds);

/* Ends the program with a message on standard error. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* One function for each of the program's modes; argv starts behind the mode's name. */
int serve(int argc, char **argv);
int hammer(int argc, char **argv);
int shell(int argc, char **argv);

#endif
