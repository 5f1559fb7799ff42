/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread: notices who hung up, and brings devices back. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine_internal.h"

#define WATCH_MS    20
#define EVENTS      64
#define RETRY_S     0.1
#define PATIENCE_MS 1000 /* for one attempt to come back */

void tp_engine_fail(struct tp_engine *engine, int status, const struct tp_error *error)
{
	pthread_mutex_lock(&engine->lock);
	if (atomic_load(&engine->failed) == 0) {
		engine->error = *error;
		/* Release: whoever sees it sees the error. */
		atomic_store_explicit(&engine->failed, status, memory_order_release);
	}
	pthread_mutex_unlock(&engine->lock);
}

void tp_engine_plan_leave(const struct tp_engine *engine, struct device *device, uint64_t now)
{
	double every = device->given.away_every;

	if (every > 0)
		atomic_store(&device->leave_at, now + cycles(engine, every));
}

int tp_engine_watch(struct tp_engine *engine, struct device *device, struct tp_error *error)
{
	/* A back-end has nothing to say unasked: what matters is that it hangs up. */
	struct epoll_event event = {.events = EPOLLRDHUP, .data.u32 = device->index};

	if (epoll_ctl(engine->events, EPOLL_CTL_ADD, device->frontend->socket, &event) < 0)
		return tp_error_set(error, errno, "epoll: %s", strerror(errno));
	return 0;
}

/* The back-end is gone. */
static void lose(struct tp_engine *engine, struct device *device)
{
	struct tp_error error;
	int state = DEVICE_ATTACHED;

	epoll_ctl(engine->events, EPOLL_CTL_DEL, device->frontend->socket, NULL);
	if (!engine->settings.reconnect) {
		tp_error_set(&error, ECONNRESET, "%s: device %u: the back-end hung up",
			device->given.frontend.path, device->index);
		tp_engine_fail(engine, -ECONNRESET, &error);
		return;
	}
	device->orderly = false;
	/* Its thread gives it to us; while all are idle nobody else holds it. */
	atomic_compare_exchange_strong(&device->state, &state, DEVICE_LEAVING);
}

/* A device that was handed over: say good-bye if that is still possible, and hang up. */
static void part(struct tp_engine *engine, struct device *device)
{
	bool leaves = atomic_load(&device->leave_at) != 0;

	if (device->frontend->socket < 0)
		return;
	if (leaves && !tp_frontend_hung_up(device->frontend))
		tp_frontend_stop(device->frontend, NULL);
	close(device->frontend->socket);
	device->frontend->socket = -1;
	device->return_at = __rdtsc() + cycles(engine, leaves ? device->given.away_for : 0);
}

static void come_back(struct tp_engine *engine, struct device *device)
{
	struct tp_frontend *frontend = device->frontend;
	unsigned timeout_ms = frontend->settings.timeout_ms;
	struct tp_error error;
	bool back;

	/* One try to connect; who has answered gets a little time. Others wait for their turn. */
	frontend->settings.timeout_ms = 1;
	back = tp_frontend_connect(frontend, &error) == 0;
	frontend->settings.timeout_ms = timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS;
	back = back && tp_frontend_handshake(frontend, &error) == 0 &&
	       tp_engine_watch(engine, device, &error) == 0;
	frontend->settings.timeout_ms = timeout_ms;
	if (!back) {
		if (frontend->socket >= 0)
			close(frontend->socket);
		frontend->socket = -1;
		device->return_at = __rdtsc() + cycles(engine, RETRY_S);
		return;
	}
	atomic_fetch_add(&engine->reconnects, 1);
	tp_engine_schedule(engine, device, __rdtsc());
	tp_engine_plan_leave(engine, device, __rdtsc());
	/* Release: its thread takes over what we did. */
	atomic_store_explicit(&device->state, DEVICE_ATTACHED, memory_order_release);
}

static void tend(struct tp_engine *engine, struct device *device)
{
	bool idle = atomic_load(&engine->command) == COMMAND_IDLE;
	int state = atomic_load_explicit(&device->state, memory_order_acquire);

	if (state == DEVICE_ATTACHED || (state == DEVICE_LEAVING && !idle))
		return;
	atomic_store(&device->state, DEVICE_AWAY);
	part(engine, device);
	if (__rdtsc() >= device->return_at)
		come_back(engine, device);
}

static void tend_absent(struct tp_engine *engine)
{
	for (unsigned i = 0; i < engine->count; i++) {
		struct device *device = &engine->devices[i];

		if (atomic_load_explicit(&device->state, memory_order_relaxed) == DEVICE_ATTACHED)
			continue;
		/* Not while somebody reads or sets up what we would change. */
		pthread_mutex_lock(&engine->tending);
		tend(engine, device);
		pthread_mutex_unlock(&engine->tending);
	}
}

static void *control(void *argument)
{
	struct tp_engine *engine = argument;
	struct epoll_event events[EVENTS];

	while (!atomic_load(&engine->control_stop)) {
		int count = epoll_wait(engine->events, events, EVENTS, WATCH_MS);

		for (int i = 0; i < count; i++)
			lose(engine, &engine->devices[events[i].data.u32]);
		tend_absent(engine);
	}
	return NULL;
}

int tp_engine_start_control(struct tp_engine *engine, struct tp_error *error)
{
	int status;

	engine->events = epoll_create1(EPOLL_CLOEXEC);
	if (engine->events < 0)
		return tp_error_set(error, errno, "epoll: %s", strerror(errno));
	for (unsigned i = 0; i < engine->count; i++) {
		status = tp_engine_watch(engine, &engine->devices[i], error);
		if (status < 0)
			return status;
	}
	status = pthread_create(&engine->control, NULL, control, engine);
	if (status != 0)
		return tp_error_set(error, status, "cannot start a thread: %s", strerror(status));
	engine->control_started = true;
	return 0;
}

void tp_engine_end_control(struct tp_engine *engine)
{
	atomic_store(&engine->control_stop, true);
	if (engine->control_started)
		pthread_join(engine->control, NULL);
	if (engine->events >= 0)
		close(engine->events);
}
