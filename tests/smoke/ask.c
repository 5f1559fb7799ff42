/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command of the control socket that the `turnpike` program does not have, where there is no
 * Python: sends one line, prints the one that comes back.
 *
 *   ask SOCKET REQUEST
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char line[65536];
	FILE *control;

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "usage: ask SOCKET REQUEST\n");
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		dprintf(fd, "%s\n", argv[2]) < 0) {
		perror(argv[1]);
		return 1;
	}
	control = fdopen(fd, "r");
	if (control == NULL || fgets(line, sizeof(line), control) == NULL) {
		fprintf(stderr, "no answer\n");
		return 1;
	}
	fputs(line, stdout);
	fclose(control);
	return 0;
}
