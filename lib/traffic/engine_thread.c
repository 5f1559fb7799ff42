/* SPDX-License-Identifier: BSD-3-Clause */
/* The polling threads: which devices to visit, and in what order. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine_internal.h"

#define IDLE_US 200

static void set_busy(struct thread *thread, uint32_t device, uint8_t *marks)
{
	if (thread->engine->devices[device].thread != thread->number || marks[device])
		return;
	marks[device] = 1;
	thread->busy[thread->busy_count++] = device;
}

/* It sends from now on: what would have been due while others sent is not. */
static void begin_to_talk(struct thread *thread, struct device *device)
{
	uint64_t missed = device->schedule.missed;

	if (thread->period > 0 && device->talked_in + 1 != thread->period) {
		tp_engine_schedule(thread->engine, device, thread->now);
		device->schedule.missed = missed;
	}
	device->talked_in = thread->period;
}

/* Devices that send in this period, and those that they send to. */
static void choose_talkers(struct thread *thread)
{
	struct tp_engine *engine = thread->engine;
	const struct tp_talk *talk = &engine->talk;
	uint8_t *marks = (uint8_t *)(thread->scratch + engine->count);
	unsigned sources = tp_talk_sources(talk, thread->period, thread->scratch);

	memset(marks, 0, engine->count);
	thread->talker_count = thread->busy_count = 0;
	for (unsigned i = 0; i < sources; i++) {
		uint32_t source = thread->scratch[i];

		if (engine->devices[source].silent)
			continue;
		if (engine->devices[source].thread == thread->number) {
			thread->talkers[thread->talker_count++] = source;
			begin_to_talk(thread, &engine->devices[source]);
		}
		set_busy(thread, source, marks);
		for (uint32_t j = talk->first[source]; j < talk->first[source + 1]; j++)
			set_busy(thread, talk->flows[j].to, marks);
	}
}

static void choose_devices(struct thread *thread)
{
	if (tp_mode_generates(thread->engine->load.mode)) {
		choose_talkers(thread);
		return;
	}
	thread->talker_count = 0;
	thread->busy_count = thread->own_count;
	memcpy(thread->busy, thread->own, thread->own_count * sizeof(*thread->own));
}

/* Hand a device over if that is asked for, or due. @return whether it is ours. */
static bool keep_device(struct thread *thread, struct device *device)
{
	int state = atomic_load_explicit(&device->state, memory_order_acquire);
	uint64_t leave_at = atomic_load_explicit(&device->leave_at, memory_order_relaxed);

	if (state == DEVICE_ATTACHED && (leave_at == 0 || thread->now < leave_at))
		return true;
	if (state != DEVICE_AWAY) /* Release: what we did to its rings is to be seen. */
		atomic_store_explicit(&device->state, DEVICE_AWAY, memory_order_release);
	return false;
}

static int visit(struct thread *thread, struct device *device, bool drain, struct tp_error *error)
{
	enum tp_mode mode = thread->engine->load.mode;

	if (!keep_device(thread, device))
		return 0;
	if (tp_mode_generates(mode) || tp_mode_terminates(mode)) {
		if (mode == TP_MODE_TXONLY)
			return tp_engine_reclaim(device, error);
		if (drain) {
			int status = tp_engine_reclaim(device, error);

			if (status < 0)
				return status;
		}
		return tp_engine_receive(thread, device, error);
	}
	if (drain)
		return tp_engine_reclaim(device, error);
	if (device->first_left > 0) {
		device->first_left--;
		return tp_engine_send_first(thread, device, error);
	}
	return tp_engine_forward(thread, device, error);
}

static int visit_all(struct thread *thread, bool drain, struct tp_error *error)
{
	struct device *devices = thread->engine->devices;
	int status = 0;

	for (unsigned i = 0; !drain && status == 0 && i < thread->talker_count; i++) {
		struct device *device = &devices[thread->talkers[i]];

		if (keep_device(thread, device))
			status = tp_engine_send(thread, device, error);
	}
	for (unsigned i = 0; status == 0 && i < thread->busy_count; i++)
		status = visit(thread, &devices[thread->busy[i]], drain, error);
	/* Those that nobody talks to may still have frames on their way, or strays. */
	if (thread->busy_count == thread->own_count)
		return status;
	for (unsigned i = 0; status == 0 && i < IDLE_VISITS && i < thread->own_count; i++) {
		status = visit(thread, &devices[thread->own[thread->next_own]], drain, error);
		if (++thread->next_own == thread->own_count)
			thread->next_own = 0;
	}
	return status;
}

static void do_round(struct thread *thread, bool drain)
{
	struct tp_engine *engine = thread->engine;
	struct tp_error error = {{0}};
	int status;

	thread->now = __rdtsc();
	tp_stall_round(&thread->stall, thread->now);
	if (engine->churn_cycles > 0 &&
		(thread->now - engine->started_at) / engine->churn_cycles != thread->period) {
		thread->period = (thread->now - engine->started_at) / engine->churn_cycles;
		choose_devices(thread);
	}
	status = visit_all(thread, drain, &error);
	if (status < 0)
		tp_engine_fail(engine, status, &error);
}

/* Obey a new command. @return false to end. */
static bool obey(struct thread *thread, int command)
{
	if (command == COMMAND_RUN && atomic_load(&thread->state) == COMMAND_IDLE) {
		thread->period = 0;
		choose_devices(thread);
	}
	if (command == COMMAND_RUN && atomic_load(&thread->state) == COMMAND_IDLE)
		thread->stall.last = __rdtsc();
	if (command != COMMAND_RUN)
		tp_engine_flush_latency(thread);
	atomic_store(&thread->state, command);
	return command != COMMAND_EXIT;
}

static void *run(void *argument)
{
	struct thread *thread = argument;
	struct tp_engine *engine = thread->engine;

	for (;;) {
		int command = atomic_load_explicit(&engine->command, memory_order_acquire);

		if (command != atomic_load_explicit(&thread->state, memory_order_relaxed) &&
			!obey(thread, command))
			return NULL;
		if (command == COMMAND_IDLE ||
			atomic_load_explicit(&engine->failed, memory_order_relaxed) != 0)
			usleep(IDLE_US);
		else if (command == COMMAND_PAUSE)
			sched_yield();
		else
			do_round(thread, command == COMMAND_DRAIN);
	}
}

/* Whoever controls the run must get the CPU when a polling thread has it: one step below. */
static void step_back(pthread_attr_t *attributes)
{
	struct sched_param priority;
	int policy;

	if (pthread_getschedparam(pthread_self(), &policy, &priority) != 0 ||
		(policy != SCHED_RR && policy != SCHED_FIFO) || priority.sched_priority < 2)
		return;
	priority.sched_priority--;
	pthread_attr_setinheritsched(attributes, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(attributes, policy);
	pthread_attr_setschedparam(attributes, &priority);
}

static int start_one(struct tp_engine *engine, struct thread *thread, struct tp_error *error)
{
	int cpu = engine->settings.cpu[thread->number];
	pthread_attr_t attributes;
	cpu_set_t set;
	int status;

	pthread_attr_init(&attributes);
	step_back(&attributes);
	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET((unsigned)cpu, &set);
		pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
	}
	status = pthread_create(&thread->id, &attributes, run, thread);
	pthread_attr_destroy(&attributes);
	if (status != 0)
		return tp_error_set(error, status, "cannot start a thread on CPU %d: %s", cpu,
			strerror(status));
	thread->started = true;
	return 0;
}

static int make_lists(struct thread *thread)
{
	struct tp_engine *engine = thread->engine;
	unsigned count = engine->count;

	thread->talkers = calloc(count, sizeof(uint32_t));
	thread->busy = calloc(count, sizeof(uint32_t));
	thread->own = calloc(count, sizeof(uint32_t));
	thread->scratch = calloc(count, sizeof(uint32_t) + 1);
	thread->latency = calloc((size_t)engine->groups * engine->groups, sizeof(*thread->latency));
	if (thread->talkers == NULL || thread->busy == NULL || thread->own == NULL ||
		thread->scratch == NULL || thread->latency == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		if (engine->devices[i].thread == thread->number)
			thread->own[thread->own_count++] = i;
	}
	return 0;
}

int tp_engine_start_threads(struct tp_engine *engine, struct tp_error *error)
{
	int status = 0;

	engine->threads = calloc(engine->settings.threads, sizeof(*engine->threads));
	if (engine->threads == NULL)
		return tp_error_set(error, ENOMEM, "no memory for threads");
	for (unsigned i = 0; status == 0 && i < engine->settings.threads; i++) {
		struct thread *thread = &engine->threads[i];

		thread->engine = engine;
		thread->number = i;
		tp_stall_init(&thread->stall, engine->hz, STALL_US, __rdtsc());
		if (make_lists(thread) < 0)
			return tp_error_set(error, ENOMEM, "no memory for threads");
		status = start_one(engine, thread, error);
	}
	return status;
}

void tp_engine_command(struct tp_engine *engine, enum command command)
{
	/* Release: what was set up for the command is to be seen. */
	atomic_store_explicit(&engine->command, command, memory_order_release);
	for (unsigned i = 0; i < engine->settings.threads; i++) {
		struct thread *thread = &engine->threads[i];

		while (thread->started && atomic_load(&thread->state) != (int)command)
			usleep(20);
	}
}

void tp_engine_end_threads(struct tp_engine *engine)
{
	if (engine->threads == NULL)
		return;
	atomic_store(&engine->command, COMMAND_EXIT);
	for (unsigned i = 0; i < engine->settings.threads; i++) {
		struct thread *thread = &engine->threads[i];

		if (thread->started)
			pthread_join(thread->id, NULL);
		free(thread->talkers);
		free(thread->busy);
		free(thread->own);
		free(thread->scratch);
		free(thread->latency);
	}
	free(engine->threads);
	engine->threads = NULL;
}

double tp_engine_cpu_seconds(const struct thread *thread)
{
	struct timespec used = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(thread->id, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return 0;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}
