/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "errand.h"

static void *run(void *owner)
{
	const uint64_t one = 1;
	struct tp_errand *errand = owner;

	errand->work(errand);
	/* An eventfd that counts to one takes it always. */
	(void)!write(errand->watch.fd, &one, sizeof(one));
	return NULL;
}

static void forget_end(struct tp_errand *errand)
{
	uint64_t count;

	(void)!read(errand->watch.fd, &count, sizeof(count));
}

static void ended(struct tp_watch *watch, uint32_t events)
{
	struct tp_errand *errand = tp_container_of(watch, struct tp_errand, watch);

	(void)events;
	if (tp_errand_wait(errand))
		errand->done(errand);
}

int tp_errand_open(struct tp_errand *errand, struct tp_loop *loop, struct tp_error *error)
{
	int result;

	errand->loop = loop;
	errand->running = false;
	errand->watch.ready = ended;
	errand->watch.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (errand->watch.fd < 0)
		return tp_error_set(error, errno, "eventfd: %s", strerror(errno));
	result = tp_loop_watch(loop, &errand->watch, EPOLLIN);
	if (result == 0)
		return 0;
	close(errand->watch.fd);
	return tp_error_set(error, -result, "eventfd: %s", strerror(-result));
}

int tp_errand_start(struct tp_errand *errand)
{
	if (errand->running)
		return -EBUSY;
	if (pthread_create(&errand->thread, NULL, run, errand) != 0)
		return -EAGAIN;
	errand->running = true;
	return 0;
}

bool tp_errand_wait(struct tp_errand *errand)
{
	if (!errand->running)
		return false;
	pthread_join(errand->thread, NULL);
	errand->running = false;
	forget_end(errand);
	return true;
}

void tp_errand_close(struct tp_errand *errand)
{
	tp_errand_wait(errand);
	tp_loop_unwatch(errand->loop, &errand->watch);
	close(errand->watch.fd);
}
