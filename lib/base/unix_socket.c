/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parents.h"
#include "base/unix_socket.h"

int tp_unix_check_path(const char *path, struct tp_error *error)
{
	size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	size_t length = strlen(path);

	if (length == 0)
		return tp_error_set(error, EINVAL, "socket path is empty");
	if (length > longest)
		return tp_error_set(error, ENAMETOOLONG,
			"socket path %s has %zu bytes; a UNIX socket allows %zu", path, length,
			longest);
	return 0;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, strlen(path));
	return address;
}

static int new_socket(struct tp_error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 ? fd : tp_error_set(error, errno, "socket: %s", strerror(errno));
}

static int connect_to(int fd, const char *path)
{
	struct sockaddr_un address = address_of(path);

	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
}

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un address = address_of(path);

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
}

/* Linux gives the file the mode of the unbound socket, less the umask. */
static int bind_with_mode(int fd, const char *path, mode_t mode)
{
	mode_t umask_before;
	int result;

	if (mode == 0)
		return bind_to(fd, path);
	if (fchmod(fd, mode) < 0)
		return -errno;
	umask_before = umask(0);
	result = bind_to(fd, path);
	umask(umask_before);
	return result;
}

static int refuse_directory(const char *path, int code, struct tp_error *error)
{
	return tp_error_set(error, code,
		"socket %s cannot be made: %s: user %d, as whom this process runs, may not write "
		"in its directory; give the directory to that user (chown) or choose another path",
		path, strerror(code), (int)geteuid());
}

/* The file is opened without following a link, should somebody else have put one in its place. */
static int give_to_owner(
	const char *path, const struct tp_unix_access *access, struct tp_error *error)
{
	uid_t owner = access->set_owner ? access->owner : (uid_t)-1;
	gid_t group = access->set_group ? access->group : (gid_t)-1;
	struct stat file;
	int fd, result = 0;

	if (!access->set_owner && !access->set_group)
		return 0;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file) < 0)
		result = -errno;
	else if (!S_ISSOCK(file.st_mode))
		result = -ENOTSOCK;
	else if ((access->set_owner && file.st_uid != owner) ||
		 (access->set_group && file.st_gid != group))
		result = fchownat(fd, "", owner, group, AT_EMPTY_PATH) == 0 ? 0 : -errno;
	if (fd >= 0)
		close(fd);
	if (result == -EPERM)
		return tp_error_set(error, EPERM,
			"socket %s cannot be given to user %d, group %d: the process may not; "
			"start it as root, which keeps what that takes, or put its user into the "
			"group",
			path, (int)owner, (int)group);
	return result == 0 ? 0
			   : tp_error_set(error, -result, "socket %s: owner: %s", path,
				     strerror(-result));
}

/* Who listens at the other end of a connection, for people. */
static int refuse_served(const char *path, int fd, struct tp_error *error)
{
	struct tp_unix_peer peer;

	tp_unix_peer(fd, &peer);
	if (peer.pid <= 0)
		return tp_error_set(error, EADDRINUSE,
			"%s is served by another process; stop it or choose another path", path);
	return tp_error_set(error, EADDRINUSE,
		"%s is served by process %d (%s); stop it or choose another path", path,
		(int)peer.pid, peer.program[0] == '\0' ? "its name cannot be read" : peer.program);
}

int tp_unix_check_free(const char *path, struct tp_error *error)
{
	struct stat file;
	int fd, result;

	if (lstat(path, &file) < 0 || !S_ISSOCK(file.st_mode))
		return 0; /* whatever it is, nobody serves it */
	fd = new_socket(error);
	if (fd < 0)
		return fd;
	result = connect_to(fd, path);
	if (result == -ECONNREFUSED || result == -ENOENT)
		result = 0;
	else
		result = refuse_served(path, fd, error);
	close(fd);
	return result;
}

/* The file may have been left by a process that is gone: then nobody accepts there. */
static int remove_stale(const char *path, struct tp_error *error)
{
	struct stat file;
	int result;

	if (lstat(path, &file) < 0)
		return errno == ENOENT
			       ? 0
			       : tp_error_set(error, errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(file.st_mode))
		return tp_error_set(error, EEXIST,
			"%s exists and is not a socket; remove it or choose another path", path);
	result = tp_unix_check_free(path, error);
	if (result < 0)
		return result;
	if (unlink(path) < 0 && errno != ENOENT)
		return tp_error_set(error, errno, "stale socket %s cannot be removed: %s", path,
			strerror(errno));
	return 0;
}

static int bind_and_listen(int fd, const char *path, const struct tp_unix_listen *how,
	struct stat *identity, struct tp_error *error)
{
	int result = bind_with_mode(fd, path, how->access.mode);

	if (result == -EADDRINUSE) {
		result = remove_stale(path, error);
		if (result < 0)
			return result;
		result = bind_with_mode(fd, path, how->access.mode);
	}
	if (result == -EACCES || result == -EPERM)
		return refuse_directory(path, -result, error);
	if (result < 0)
		return tp_error_set(
			error, -result, "socket %s cannot be made: %s", path, strerror(-result));
	result = give_to_owner(path, &how->access, error);
	if (result < 0) {
		unlink(path);
		return result;
	}
	if (listen(fd, how->backlog) < 0 || lstat(path, identity) < 0)
		return tp_error_set(
			error, errno, "socket %s cannot be served: %s", path, strerror(errno));
	return 0;
}

int tp_unix_listen(const char *path, const struct tp_unix_listen *how, struct stat *identity,
	struct tp_error *error)
{
	int result = tp_unix_check_path(path, error);
	int fd;

	if (result < 0)
		return result;
	result = tp_make_parents(path, error);
	if (result < 0) {
		tp_error_prefix(error, "socket %s", path);
		return result;
	}
	fd = new_socket(error);
	if (fd < 0)
		return fd;
	result = bind_and_listen(fd, path, how, identity, error);
	if (result == 0)
		return fd;
	close(fd);
	return result;
}

/* Bound by way of the directory, since the name may be longer than the path. */
static int listen_in(const char *directory, const char *name, const struct tp_unix_listen *how,
	struct stat *identity, struct tp_error *error)
{
	int parent = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char address[96];
	int fd;

	if (parent < 0)
		return tp_error_set(error, errno, "%s: %s", directory, strerror(errno));
	snprintf(address, sizeof(address), "/proc/self/fd/%d/%s", parent, name);
	fd = tp_unix_listen(address, how, identity, error);
	close(parent);
	return fd;
}

int tp_unix_listen_beside(const char *path, const struct tp_unix_listen *how, char **beside,
	struct stat *identity, struct tp_error *error)
{
	static unsigned serial;
	const char *slash = strrchr(path, '/');
	int length = slash == NULL ? 1 : (int)(slash - path) + 1;
	char *directory = NULL;
	char name[48];
	int fd;

	snprintf(name, sizeof(name), ".turnpike.%d.%u", (int)getpid(), serial++);
	if (asprintf(&directory, "%.*s", length, slash == NULL ? "." : path) < 0 ||
		asprintf(beside, "%s/%s", directory, name) < 0) {
		free(directory);
		*beside = NULL;
		return tp_error_set(error, ENOMEM, "socket %s: no memory", path);
	}
	fd = listen_in(directory, name, how, identity, error);
	free(directory);
	if (fd < 0) {
		free(*beside);
		*beside = NULL;
	}
	return fd;
}

int tp_unix_take(const char *beside, const char *path)
{
	return rename(beside, path) < 0 ? -errno : 0;
}

int tp_unix_connect(const char *path, struct tp_error *error)
{
	int fd = new_socket(error);
	int result;

	if (fd < 0)
		return fd;
	/* A UNIX socket connects at once or fails; EAGAIN means that the backlog is full. */
	result = connect_to(fd, path);
	if (result == 0)
		return fd;
	close(fd);
	return tp_error_set(error, -result, "connect to %s: %s", path, strerror(-result));
}

void tp_unix_remove(const char *path, const struct stat *identity)
{
	struct stat file;

	if (lstat(path, &file) == 0 && file.st_dev == identity->st_dev &&
		file.st_ino == identity->st_ino)
		unlink(path);
}

/* What a process calls itself may be any bytes. */
static void keep_printable(char *text, ssize_t length)
{
	ssize_t kept = 0;

	for (ssize_t i = 0; i < length && text[i] != '\n'; i++)
		text[kept++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	text[kept] = '\0';
}

static void read_program(pid_t pid, char program[TP_UNIX_PROGRAM_SIZE])
{
	char path[32];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = read(fd, program, TP_UNIX_PROGRAM_SIZE - 1);
	close(fd);
	keep_printable(program, length);
}

void tp_unix_peer(int fd, struct tp_unix_peer *peer)
{
	struct ucred credentials = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	socklen_t size = sizeof(credentials);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size);
	*peer = (struct tp_unix_peer){
		.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
	if (peer->pid > 0)
		read_program(peer->pid, peer->program);
}
