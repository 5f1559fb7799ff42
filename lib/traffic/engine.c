/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine's life: devices, attach, load, start, stop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine_internal.h"
#include "frontend/channel.h"

#define CALIBRATE_NS   20000000ull
#define DRAIN_QUIET_NS 20000000ull
#define DRAIN_MAX_NS   1000000000ull
#define DRAIN_STEP_US  1000

/* Cycles of the TSC a second, against the monotonic clock. */
static double tsc_rate(void)
{
	uint64_t ns = tp_now_ns(), tsc = __rdtsc(), end;

	do
		end = tp_now_ns();
	while (end - ns < CALIBRATE_NS);
	return (double)(__rdtsc() - tsc) * 1e9 / (double)(end - ns);
}

static int check(const struct tp_engine_settings *settings, const struct tp_engine_device *devices,
	unsigned count, struct tp_error *error)
{
	if (settings->threads == 0 || settings->threads > TP_ENGINE_THREADS_MAX)
		return tp_error_set(error, EINVAL, "%u threads: 1 to %u are possible",
			settings->threads, TP_ENGINE_THREADS_MAX);
	if (count == 0)
		return tp_error_set(error, EINVAL, "no device");
	for (unsigned i = 0; i < count; i++) {
		if (devices[i].group >= TP_ENGINE_GROUPS_MAX)
			return tp_error_set(error, EINVAL, "group %u: 0 to %u are possible",
				devices[i].group, TP_ENGINE_GROUPS_MAX - 1);
		if (devices[i].frontend.queue_pairs != devices[0].frontend.queue_pairs)
			return tp_error_set(error, EINVAL,
				"all devices must have as many queue pairs as the first");
	}
	return 0;
}

static void take_devices(struct tp_engine *engine, const struct tp_engine_device *devices)
{
	for (unsigned i = 0; i < engine->count; i++) {
		struct device *device = &engine->devices[i];
		unsigned peer = i ^ 1;

		device->given = devices[i];
		device->index = i;
		device->peer = peer < engine->count ? peer : i;
		device->thread = i / 2 % engine->settings.threads;
		if (device->given.group >= engine->groups)
			engine->groups = device->given.group + 1;
	}
	engine->queue_pairs = devices[0].frontend.queue_pairs;
	if (engine->queue_pairs == 0)
		engine->queue_pairs = 1;
}

struct tp_engine *tp_engine_new(const struct tp_engine_settings *settings,
	const struct tp_engine_device *devices, unsigned count, struct tp_error *error)
{
	struct tp_engine *engine;

	if (check(settings, devices, count, error) < 0)
		return NULL;
	engine = calloc(1, sizeof(*engine));
	if (engine != NULL)
		engine->devices = aligned_alloc(64, count * sizeof(*engine->devices));
	if (engine == NULL || engine->devices == NULL) {
		free(engine);
		tp_error_set(error, ENOMEM, "no memory for %u devices", count);
		return NULL;
	}
	memset(engine->devices, 0, count * sizeof(*engine->devices));
	engine->settings = *settings;
	engine->count = count;
	engine->events = -1;
	engine->hz = tsc_rate();
	pthread_mutex_init(&engine->lock, NULL);
	pthread_mutex_init(&engine->tending, NULL);
	take_devices(engine, devices);
	if (tp_engine_start_threads(engine, error) < 0) {
		tp_engine_free(engine);
		return NULL;
	}
	return engine;
}

static int make_memos(struct device *device)
{
	unsigned pairs = device->frontend->settings.queue_pairs;

	for (unsigned i = 0; i < pairs; i++) {
		device->memo[i] = calloc(device->frontend->ring[tp_transmit_ring(i)].slots_max,
			sizeof(*device->memo[i]));
		if (device->memo[i] == NULL)
			return -ENOMEM;
	}
	tp_engine_forget_slots(device);
	return 0;
}

int tp_engine_attach(struct tp_engine *engine, uint64_t *elapsed_ns, struct tp_error *error)
{
	struct tp_frontend_settings *settings = calloc(engine->count, sizeof(*settings));
	struct tp_frontend **frontends = calloc(engine->count, sizeof(struct tp_frontend *));
	int status = settings == NULL || frontends == NULL ? -ENOMEM : 0;

	for (unsigned i = 0; status == 0 && i < engine->count; i++)
		settings[i] = engine->devices[i].given.frontend;
	if (status == 0)
		status = tp_frontend_attach_many(settings, engine->count, frontends,
			engine->settings.pipelined, elapsed_ns, error);
	else
		tp_error_set(error, ENOMEM, "no memory for %u devices", engine->count);
	for (unsigned i = 0; status == 0 && i < engine->count; i++) {
		engine->devices[i].frontend = frontends[i];
		atomic_store(&engine->devices[i].state, DEVICE_ATTACHED);
	}
	for (unsigned i = 0; status == 0 && i < engine->count; i++) {
		status = make_memos(&engine->devices[i]);
		if (status < 0)
			tp_error_set(error, ENOMEM, "no memory for %u devices", engine->count);
	}
	if (status == 0)
		status = tp_engine_start_control(engine, error);
	free(settings);
	free(frontends);
	return status;
}

static int check_size(
	const struct tp_engine *engine, const struct tp_size *size, struct tp_error *error)
{
	uint32_t buffer = engine->devices[0].frontend->settings.buffer_size;

	if (size->least >= TP_SIZE_LEAST && size->most <= buffer)
		return 0;
	return tp_error_set(error, EINVAL, "frames of %u to %u bytes: %u to %u fit the buffers",
		size->least, size->most, TP_SIZE_LEAST, buffer);
}

static int check_load(
	const struct tp_engine *engine, const struct tp_engine_load *load, struct tp_error *error)
{
	int status = check_size(engine, &load->size, error);

	for (unsigned i = 0; status == 0 && i < engine->groups; i++) {
		if (load->part[i].own_size)
			status = check_size(engine, &load->part[i].size, error);
	}
	if (status < 0)
		return status;
	if (load->burst > BURST_MAX)
		return tp_error_set(error, EINVAL, "burst of %u frames: 1 to %u are possible",
			load->burst, BURST_MAX);
	if (load->verify == TP_VERIFY_BURST && load->mode == TP_MODE_FLOWGEN &&
		(load->talk.kind != TP_TALK_PAIRS || engine->queue_pairs > 1))
		return tp_error_set(error, EINVAL,
			"verifying bursts takes pairs with one queue pair: in other traffic a "
			"burst has frames of several flows; verify stamps");
	return 0;
}

static int cut_frames(struct tp_engine *engine, struct tp_error *error)
{
	for (unsigned i = 0; i < engine->count; i++) {
		struct tp_frontend *frontend = engine->devices[i].frontend;
		const struct tp_size *size = engine->devices[i].size;
		unsigned segments = size->segments > 1 ? size->segments : 1;

		for (unsigned pair = 0; pair < engine->queue_pairs; pair++) {
			int status = 0;

			if (segments > 1 || frontend->ring[tp_transmit_ring(pair)].piece_count != 1)
				status = tp_burst_cut(
					frontend, pair, size->segment, segments, error);
			if (status < 0)
				return status;
		}
		tp_engine_forget_slots(&engine->devices[i]);
	}
	return 0;
}

int tp_engine_set_load(
	struct tp_engine *engine, const struct tp_engine_load *load, struct tp_error *error)
{
	int status;

	if (atomic_load(&engine->command) != COMMAND_IDLE)
		return tp_error_set(error, EBUSY, "forwarding: stop first");
	status = check_load(engine, load, error);
	if (status < 0)
		return status;
	engine->loaded = false;
	engine->load = *load;
	if (engine->load.burst == 0)
		engine->load.burst = 32;
	tp_engine_hold(engine);
	tp_engine_share_load(engine);
	status = cut_frames(engine, error);
	if (status == 0)
		status = tp_engine_make_flows(engine, error);
	tp_engine_go_on(engine);
	engine->churn_cycles = cycles(engine, load->talk.churn);
	engine->loaded = status == 0;
	return status;
}

const struct tp_engine_load *tp_engine_load(const struct tp_engine *engine)
{
	return &engine->load;
}

int tp_engine_set_appetite(
	struct tp_engine *engine, unsigned device, bool deaf, double slow, struct tp_error *error)
{
	if (atomic_load(&engine->command) != COMMAND_IDLE)
		return tp_error_set(error, EBUSY, "forwarding: stop first");
	/* The polling threads read it after the next command, a release. */
	engine->devices[device].given.deaf = deaf;
	engine->devices[device].given.slow = slow;
	return 0;
}

int tp_engine_start(struct tp_engine *engine, struct tp_error *error)
{
	int status = tp_engine_failed(engine, error);
	uint64_t now = __rdtsc();

	if (status < 0)
		return status;
	if (atomic_load(&engine->command) != COMMAND_IDLE)
		return tp_error_set(error, EBUSY, "already forwarding");
	if (!engine->loaded)
		return tp_error_set(error, EINVAL, "no load was set");
	tp_engine_hold(engine);
	engine->started_at = now;
	if (engine->measured_at == 0)
		engine->measured_at = now;
	else /* the time stopped does not count */
		engine->measured_at += now - engine->stopped_at;
	engine->stopped_at = 0;
	for (unsigned i = 0; i < engine->count; i++) {
		struct device *device = &engine->devices[i];

		device->slow_since = now;
		device->first_left = engine->load.tx_first;
		tp_engine_schedule(engine, device, now);
		tp_engine_plan_leave(engine, device, now);
	}
	tp_engine_go_on(engine);
	tp_engine_command(engine, COMMAND_RUN);
	return 0;
}

/* Frames received so far, and those that the back-end still has. */
static void count_moving(struct tp_engine *engine, uint64_t *received, uint64_t *out)
{
	*received = *out = 0;
	tp_engine_hold(engine);
	for (unsigned i = 0; i < engine->count; i++) {
		struct device *device = &engine->devices[i];

		*received += device->counts.rx_frames;
		for (unsigned pair = 0; pair < engine->queue_pairs; pair++)
			*out += tp_burst_out(&device->frontend->ring[tp_transmit_ring(pair)]);
	}
	tp_engine_go_on(engine);
}

/* Until every ring is empty and nothing has come for a while, or the patience ends. */
static void drain(struct tp_engine *engine)
{
	uint64_t start = tp_now_ns(), quiet_since = start, now = start;
	uint64_t received, before, out;

	count_moving(engine, &before, &out);
	while (now - start < DRAIN_MAX_NS && now - quiet_since < DRAIN_QUIET_NS &&
		atomic_load(&engine->failed) == 0) {
		usleep(DRAIN_STEP_US);
		now = tp_now_ns();
		count_moving(engine, &received, &out);
		if (received != before || out > 0)
			quiet_since = now;
		before = received;
	}
}

int tp_engine_stop(struct tp_engine *engine, struct tp_error *error)
{
	if (atomic_load(&engine->command) == COMMAND_RUN) {
		tp_engine_command(engine, COMMAND_DRAIN);
		engine->stopped_at = __rdtsc();
		drain(engine);
		tp_engine_command(engine, COMMAND_IDLE);
	}
	return tp_engine_failed(engine, error);
}

int tp_engine_failed(const struct tp_engine *engine, struct tp_error *error)
{
	/* Acquire: the error was written before. */
	int status = atomic_load_explicit(&engine->failed, memory_order_acquire);

	if (status < 0 && error != NULL)
		*error = engine->error;
	return status;
}

void tp_engine_free(struct tp_engine *engine)
{
	if (engine == NULL)
		return;
	tp_engine_stop(engine, NULL);
	tp_engine_end_threads(engine);
	tp_engine_end_control(engine);
	for (unsigned i = 0; i < engine->count; i++) {
		struct device *device = &engine->devices[i];

		/* After an error the back-end may be in any state: hang up without a word. */
		if (device->frontend != NULL && atomic_load(&engine->failed) == 0 &&
			device_is_here(device))
			tp_frontend_stop(device->frontend, NULL);
		tp_frontend_free(device->frontend);
		for (unsigned j = 0; j < TP_FRONTEND_QUEUE_PAIRS_MAX; j++)
			free(device->memo[j]);
	}
	tp_engine_free_flows(engine);
	pthread_mutex_destroy(&engine->lock);
	pthread_mutex_destroy(&engine->tending);
	free(engine->devices);
	free(engine);
}
