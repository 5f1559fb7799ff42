/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/closer.h"
#include "base/receive.h"

#define STACK_BYTES (256u << 10)
#define DRAIN_MOST  64 /* messages or parts of them */

struct tp_closer {
	pthread_mutex_t lock; /* for all that follows; never held while something is closed */
	int *waiting;
	unsigned first; /* of waiting[], the oldest */
	unsigned count; /* end of waiting[] */
	unsigned room;
	unsigned pending; /* waiting, or being closed */
	bool running;     /* there is a thread */
	bool left;        /* the owner is gone: who ends last frees it */
};

struct tp_closer *tp_closer_new(void)
{
	struct tp_closer *closer = calloc(1, sizeof(*closer));

	if (closer != NULL)
		pthread_mutex_init(&closer->lock, NULL);
	return closer;
}

static void destroy(struct tp_closer *closer)
{
	pthread_mutex_destroy(&closer->lock);
	free(closer->waiting);
	free(closer);
}

void tp_closer_free(struct tp_closer *closer)
{
	bool last;

	if (closer == NULL)
		return;
	pthread_mutex_lock(&closer->lock);
	closer->left = true;
	last = !closer->running;
	pthread_mutex_unlock(&closer->lock);
	if (last)
		destroy(closer);
}

static void *run(void *argument)
{
	struct tp_closer *closer = argument;
	bool last;

	pthread_mutex_lock(&closer->lock);
	while (closer->first < closer->count) {
		int fd = closer->waiting[closer->first++];

		pthread_mutex_unlock(&closer->lock);
		close(fd);
		pthread_mutex_lock(&closer->lock);
		closer->pending--;
	}
	closer->first = closer->count = 0;
	closer->running = false;
	last = closer->left;
	pthread_mutex_unlock(&closer->lock);
	if (last)
		destroy(closer);
	return NULL;
}

/* With the lock. Signals are for other threads. */
static void start(struct tp_closer *closer)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;

	if (closer->running || closer->count == 0)
		return;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	closer->running = pthread_create(&thread, &attributes, run, closer) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

/* With the lock. @return false without memory. */
static bool make_room(struct tp_closer *closer)
{
	unsigned room = closer->room == 0 ? 16 : 2 * closer->room;
	int *larger;

	if (closer->count < closer->room)
		return true;
	larger = realloc(closer->waiting, room * sizeof(*larger));
	if (larger == NULL)
		return false;
	closer->waiting = larger;
	closer->room = room;
	return true;
}

static void close_beside(struct tp_closer *closer, int fd)
{
	bool kept;

	pthread_mutex_lock(&closer->lock);
	kept = make_room(closer);
	if (kept) {
		closer->waiting[closer->count++] = fd;
		closer->pending++;
		start(closer);
	}
	pthread_mutex_unlock(&closer->lock);
	if (!kept)
		close(fd); /* a descriptor that is lost would be worse */
}

bool tp_is_eventfd(int fd)
{
	static const char expected[] = "anon_inode:[eventfd]";
	char path[32], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target));
	return length == (ssize_t)sizeof(expected) - 1 &&
	       memcmp(target, expected, sizeof(expected) - 1) == 0;
}

void tp_closer_close(struct tp_closer *closer, int fd)
{
	/* Only files in memory have seals. */
	if (fcntl(fd, F_GET_SEALS) >= 0 || tp_is_eventfd(fd))
		close(fd);
	else
		close_beside(closer, fd);
}

/* Take what was sent and not read. @return true: there is no more. */
static bool drain(struct tp_closer *closer, int fd)
{
	struct tp_received received;
	char bytes[8192];

	for (unsigned i = 0; i < DRAIN_MOST; i++) {
		if (tp_receive(fd, bytes, sizeof(bytes), &received) <= 0)
			return true;
		for (unsigned n = 0; n < received.fd_count; n++)
			tp_closer_close(closer, received.fds[n]);
	}
	return false;
}

void tp_closer_hang_up(struct tp_closer *closer, int fd)
{
	/* From here on nothing more can come. */
	shutdown(fd, SHUT_RDWR);
	if (drain(closer, fd))
		close(fd);
	else
		close_beside(closer, fd);
}

void tp_closer_stop_listening(struct tp_closer *closer, int fd)
{
	struct pollfd somebody = {.fd = fd, .events = POLLIN};
	int waiting = poll(&somebody, 1, 0);

	if (waiting != 0)
		close_beside(closer, fd);
	else
		close(fd);
}

unsigned tp_closer_pending(struct tp_closer *closer)
{
	unsigned pending;

	pthread_mutex_lock(&closer->lock);
	start(closer); /* if it could not when there was something to do */
	pending = closer->pending;
	pthread_mutex_unlock(&closer->lock);
	return pending;
}
