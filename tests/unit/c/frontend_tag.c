// SPDX-License-Identifier: Apache-2.0
/* Reads frontend keys from standard input and prints the tag that bpf/lb.h gives each, one a line. */
#include <stdio.h>

#include "lb.h"

int main(void)
{
	struct frontend_key key;

	while (fread(&key, sizeof(key), 1, stdin) == 1)
		printf("%u\n", frontend_tag(&key));
	return 0;
}
