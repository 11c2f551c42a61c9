// SPDX-License-Identifier: Apache-2.0
/* Reads range keys from standard input and prints the tag that bpf/lb.h gives an address in each, one a line. */
#include <stdio.h>

#include "lb.h"

int main(void)
{
	struct range_key key;

	while (fread(&key, sizeof(key), 1, stdin) == 1)
		printf("%u\n", range_tag(&key.address, key.prefix_length));
	return 0;
}
