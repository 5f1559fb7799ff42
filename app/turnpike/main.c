/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "commands.h"

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return tp_command_check(argv[2]);
	fprintf(stderr, "usage: turnpike check FILE\n");
	return TP_EXIT_USAGE;
}
