// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "peer: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	exit(2);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve(argc - 2, argv + 2);
	if (argc > 2 && !strcmp(argv[1], "hammer"))
		return hammer(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "shell"))
		return shell(0, NULL);
	fail("usage: peer serve NAME=tcp|udp/ADDRESS/PORT...\n"
	     "       peer hammer [OPTIONS] KIND ADDRESS/PORT...\n"
	     "       peer shell");
}
