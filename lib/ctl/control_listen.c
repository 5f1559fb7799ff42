/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_listen.h"
#include "ctl/control_socket.h"

static int make_parents(const char *path, struct tp_error *error)
{
	char parent[TP_CONTROL_PATH_BYTES_MAX + 1];

	for (const char *slash = strchr(path + 1, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return tp_error_set(error, errno,
				"control socket %s: cannot make directory %s: %s", path, parent,
				strerror(errno));
	}
	return 0;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Nobody accepts on it: its server ended without removing it. */
static bool is_stale(const struct sockaddr_un *address)
{
	int fd = new_socket();
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int remove_stale(const struct sockaddr_un *address, struct tp_error *error)
{
	const char *path = address->sun_path;
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0
				       : tp_error_set(error, errno, "control socket %s: %s", path,
						 strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return tp_error_set(error, EEXIST,
			"control socket %s: found a file that is not a socket; accepted: a path "
			"where nothing is, or a socket that nobody serves",
			path);
	if (!is_stale(address))
		return tp_error_set(error, EADDRINUSE,
			"control socket %s: another process serves it; stop that one, or state "
			"another control_socket",
			path);
	if (unlink(path) < 0 && errno != ENOENT)
		return tp_error_set(error, errno, "control socket %s: cannot be replaced: %s", path,
			strerror(errno));
	return 0;
}

/* Linux gives the file the mode of the unbound socket, so that nobody can connect meanwhile. */
static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return listen(fd, TP_CONTROL_CLIENTS_MAX) < 0 ? -errno : 0;
}

static int open_listener(const struct sockaddr_un *address, struct tp_control_listener *listener)
{
	struct stat status;
	int result = new_socket();

	if (result < 0)
		return result;
	listener->fd = result;
	result = bind_and_listen(listener->fd, address);
	if (result == 0 && lstat(address->sun_path, &status) < 0)
		result = -errno;
	if (result < 0) {
		close(listener->fd);
		return result;
	}
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

int tp_control_listen(
	const char *path, struct tp_control_listener *listener, struct tp_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int result;

	if (path[0] == '\0' || strlen(path) > TP_CONTROL_PATH_BYTES_MAX)
		return tp_error_set(error, ENAMETOOLONG,
			"control socket: found a path of %zu bytes; accepted: 1 to %d",
			strlen(path), TP_CONTROL_PATH_BYTES_MAX);
	strcpy(address.sun_path, path);
	result = make_parents(path, error);
	if (result == 0)
		result = remove_stale(&address, error);
	if (result < 0)
		return result;
	result = open_listener(&address, listener);
	return result == 0 ? 0
			   : tp_error_set(error, -result, "control socket %s: %s", path,
				     strerror(-result));
}

void tp_control_unlisten(const char *path, struct tp_control_listener *listener)
{
	struct stat status;

	close(listener->fd);
	if (lstat(path, &status) == 0 && status.st_dev == listener->device &&
		status.st_ino == listener->inode)
		unlink(path);
}
