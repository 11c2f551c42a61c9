/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What an application asks for and what it gets. */
#ifndef WEFT_DESTINATION_H
#define WEFT_DESTINATION_H

#include "types.h"

/* What one application asked for. */
struct destination {
	struct address address;
	__be16 port;
	__u8 protocol;
};

/* What it gets. */
struct backend {
	struct address address;
	__be16 port;
	__u32 endpoint;
	__u32 generation;
};

#endif
