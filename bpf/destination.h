/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What an application asks for, where it leads, and what it gets. */
#ifndef WEFT_DESTINATION_H
#define WEFT_DESTINATION_H

#include "types.h"

/* What one application asked for. */
struct destination {
	struct address address;
	__be16 port;
	__u8 protocol;
};

/* The service port that it leads to, as it was read once. */
struct route {
	__u64 tier; /* its word */
	__u32 id;
	__u32 limit; /* of connections; 0: none */
	__u16 flags; /* SERVICE_* */
	__u16 choices;
};

/* What it gets. */
struct backend {
	struct address address;
	__be16 port;
	__u32 endpoint;
	__u32 generation;
};

#endif
