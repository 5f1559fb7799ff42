/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * UNIX stream sockets by path: listening, connecting, and the files that they leave. All
 * descriptors are non-blocking and close on exec. Threading: any one thread a path.
 */

/** Who may connect to a socket: its file's mode and owner. All zero: as the umask says, ours. */
struct tp_unix_access {
	mode_t mode; /* whatever the umask says; 0: as it says */
	bool set_owner;
	bool set_group;
	uid_t owner; /* if set_owner */
	gid_t group; /* if set_group */
};

struct tp_unix_listen {
	int backlog;
	struct tp_unix_access access;
};

#define TP_UNIX_PROGRAM_SIZE 16 /* bytes, with the end; what Linux keeps of a program's name */

/** Who is at the other end of a socket, as the kernel noted it when they connected or listened. */
struct tp_unix_peer {
	pid_t pid; /* 0: not known, as for one in another PID namespace */
	uid_t uid;
	gid_t gid;
	char program[TP_UNIX_PROGRAM_SIZE]; /* printable ASCII; "" if it is not to be had */
};

/** Refuse a path that is empty or does not fit a socket address. @return 0, or negative errno. */
int tp_unix_check_path(const char *path, struct tp_error *error);

/**
 * Does nobody serve this path? Who does is named by process id and program; it sees a connection
 * that ends at once.
 * @return 0 (also without such a file), or -EADDRINUSE or another negative errno with *error set.
 */
int tp_unix_check_free(const char *path, struct tp_error *error);

/**
 * Listen at a path. Missing parent directories are made (0755); a socket file that nobody serves is
 * replaced; one that somebody serves and a file of another kind are refused by name. Nobody can
 * connect before the file has its owner and mode.
 *
 * @param identity  device and inode of the socket file made, for tp_unix_remove
 * @return a descriptor, or negative errno with *error set.
 */
int tp_unix_listen(const char *path, const struct tp_unix_listen *how, struct stat *identity,
	struct tp_error *error);

/**
 * Listen beside a path that is still served, under a name of its own in the same directory, until
 * tp_unix_take gives the socket that path.
 *
 * @param beside  the name, a path to be freed
 * @return as tp_unix_listen
 */
int tp_unix_listen_beside(const char *path, const struct tp_unix_listen *how, char **beside,
	struct stat *identity, struct tp_error *error);

/** Give a socket that listens beside a path that path; whoever was served there is not any more.
 * @return 0, or negative errno. */
int tp_unix_take(const char *beside, const char *path);

/** Connect. @return a connected descriptor, or negative errno with *error set. */
int tp_unix_connect(const char *path, struct tp_error *error);

/** Remove the socket file if it is still the one that was made. */
void tp_unix_remove(const char *path, const struct stat *identity);

/**
 * Tell who is at the other end (SO_PEERCRED, unix(7)). The program's name is for people: it is the
 * process's own to choose, and read a moment later.
 */
void tp_unix_peer(int fd, struct tp_unix_peer *peer);
