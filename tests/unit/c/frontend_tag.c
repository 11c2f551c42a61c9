// SPDX-License-Identifier: Apache-2.0
/* Reads frontend keys from standard input and prints the tag that bpf/lb.h gives each, and what ties its last 4 bytes to it. */
#include <stdio.h>

#include "lb.h"

int main(void)
{
	struct frontend_key key;

	while (fread(&key, sizeof(key), 1, stdin) == 1)
		printf("%u %u\n", frontend_tag(&key), tie(key.address.words[3]));
	return 0;
}
