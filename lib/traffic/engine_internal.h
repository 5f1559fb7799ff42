/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <x86intrin.h>

#include "frontend/burst.h"
#include "traffic/engine.h"
#include "traffic/sequence.h"
#include "traffic/stall.h"

/* What the files of the engine share with each other alone. */

#define BURST_MAX   512
#define NO_FLOW     UINT32_MAX /* of a slot: no frame of ours in it; of a stamp: nobody's flow */
#define STALL_US    50
#define IDLE_VISITS 1 /* devices that nobody talks to are looked at, so many a round */

/* Who may touch a device's rings and its front-end. */
enum device_state {
	DEVICE_AWAY,     /* the control thread: not connected */
	DEVICE_ATTACHED, /* its polling thread */
	DEVICE_LEAVING,  /* its polling thread, which hands it over as soon as it sees this */
};

/* A slot of a transmit ring: what its frame was last filled for. */
struct slot_memo {
	uint32_t flow;
	uint16_t size;
	uint16_t sum;     /* of what its checksum covers beside the stamp */
	uint16_t pattern; /* up to here the payload is the fixed pattern; 0: it is not */
};

struct device {
	struct tp_engine_device given;
	struct tp_frontend *frontend;
	atomic_int state;
	unsigned thread;
	unsigned index;
	unsigned peer; /* its partner in the forwarding modes */
	struct slot_memo *memo[TP_FRONTEND_QUEUE_PAIRS_MAX];
	const struct tp_size *size; /* of its frames: in engine->load */
	bool silent;                /* of this load: sends nothing */
	struct tp_schedule schedule;
	uint64_t talked_in;        /* last period of churn in which it was to send */
	uint64_t sizes;            /* random numbers for the sizes of frames */
	uint32_t next_flow;        /* of its own: which one sends next */
	uint64_t first_left;       /* bursts of start tx_first still to send */
	uint64_t slow_since;       /* TSC: a slow device's allowance counts from here */
	_Atomic uint64_t leave_at; /* TSC, 0: does not leave */
	uint64_t return_at;        /* TSC; the control thread's */
	bool orderly;              /* leaves of its own will; the control thread's */
	struct tp_engine_counts counts __attribute__((aligned(64)));
};

/* The sender's part of a flow, and the receiver's: each written by one thread. */
struct flow_sent {
	uint64_t frames;
};

struct flow_seen {
	uint32_t base;      /* numbers before this one were sent before the counts were cleared */
	uint32_t group;     /* that it begins in */
	uint64_t sent_base; /* as `base`, not wrapped */
	struct tp_sequence sequence;
};

enum command { COMMAND_IDLE, COMMAND_PAUSE, COMMAND_RUN, COMMAND_DRAIN, COMMAND_EXIT };

struct thread {
	struct tp_engine *engine;
	unsigned number;
	pthread_t id;
	bool started;
	atomic_int state; /* last command obeyed */
	uint64_t now;     /* TSC of this round */
	uint64_t period;  /* of churn */
	uint32_t *talkers;
	unsigned talker_count;
	uint32_t *busy; /* talkers, and those that are talked to */
	unsigned busy_count;
	uint32_t *own; /* all of its devices */
	unsigned own_count;
	unsigned next_own;
	uint32_t *scratch; /* room for all devices' numbers */
	struct tp_stall stall;
	struct tp_histogram *latency; /* one for each two groups: latency_between() */
	uint64_t run_ns;              /* a run of frames with one stamp: their latency, */
	uint32_t run_count;           /* how many frames, */
	unsigned run_between;         /* and between which groups */
	double cpu_base;              /* CPU seconds when the counts were cleared */
	uint8_t bytes[TP_SIZE_MOST + 64];
	struct tp_burst_frame frames[BURST_MAX];
};

struct tp_engine {
	struct tp_engine_settings settings;
	struct device *devices;
	unsigned count;
	unsigned groups; /* highest group number plus one */
	unsigned queue_pairs;
	double hz; /* of the TSC */
	struct tp_engine_load load;
	bool loaded;
	bool one_size; /* all frames of the load are of one size */
	struct tp_talk talk;
	uint32_t flow_first; /* stamped flow numbers: those of earlier loads are not used again */
	uint32_t flow_count; /* talk.flow_count times queue_pairs */
	struct flow_sent *sent;
	struct flow_seen *seen;
	struct tp_stamp_headers *headers; /* one a flow of `talk` */
	unsigned sources; /* devices that share a total rate: those without one of their own, */
	unsigned group_sources[TP_ENGINE_GROUPS_MAX]; /* and those of a group that has one */
	struct thread *threads;
	atomic_int command;
	unsigned holds; /* nested */
	int held;       /* the command that they interrupted */
	uint64_t churn_cycles;
	uint64_t started_at;  /* TSC: churn periods count from here */
	uint64_t measured_at; /* TSC: the counts do */
	uint64_t stopped_at;  /* TSC, 0 while running */
	_Atomic uint64_t reconnects;
	pthread_t control;
	bool control_started;
	atomic_bool control_stop;
	int events;              /* epoll of the devices' sockets */
	pthread_mutex_t tending; /* devices that are away, and what no thread polls */
	pthread_mutex_t lock;
	struct tp_error error; /* under lock */
	atomic_int failed;     /* negative errno, 0: all well */
};

static inline bool device_is_here(const struct device *device)
{
	/* Acquire: the partner is the release of whoever handed the device over. */
	return atomic_load_explicit(&device->state, memory_order_acquire) != DEVICE_AWAY;
}

/* Number of a thread's histogram for flows between two groups. */
static inline unsigned latency_between(const struct tp_engine *engine, unsigned from, unsigned to)
{
	return from * engine->groups + to;
}

static inline uint64_t cycles(const struct tp_engine *engine, double seconds)
{
	return (uint64_t)(seconds * engine->hz);
}

/* --- engine_flows.c --- */
int tp_engine_make_flows(struct tp_engine *engine, struct tp_error *error);
void tp_engine_free_flows(struct tp_engine *engine);
void tp_engine_forget_slots(struct device *device);
/** Tell each device what the load has for its group. */
void tp_engine_share_load(struct tp_engine *engine);
void tp_engine_schedule(struct tp_engine *engine, struct device *device, uint64_t now);

/* --- engine_thread.c --- */
int tp_engine_start_threads(struct tp_engine *engine, struct tp_error *error);
void tp_engine_end_threads(struct tp_engine *engine);
/** Give a command to all threads and wait until they obey. */
void tp_engine_command(struct tp_engine *engine, enum command command);
double tp_engine_cpu_seconds(const struct thread *thread);

/* --- engine_send.c, engine_receive.c, engine_forward.c: one visit of a device.
 * @return 0, or negative errno with *error set. --- */
int tp_engine_send(struct thread *thread, struct device *device, struct tp_error *error);
int tp_engine_receive(struct thread *thread, struct device *device, struct tp_error *error);
int tp_engine_forward(struct thread *thread, struct device *device, struct tp_error *error);
/** Only take back what was sent. */
int tp_engine_reclaim(struct device *device, struct tp_error *error);
/** Frames that a device may take now: deaf and slow devices take less than `most`. */
unsigned tp_engine_appetite(struct thread *thread, struct device *device, unsigned most);
/** The frames that begin a forwarding run. */
int tp_engine_send_first(struct thread *thread, struct device *device, struct tp_error *error);
/** Count the latency of the frames looked at so far. */
void tp_engine_flush_latency(struct thread *thread);

/* --- engine_control.c --- */
int tp_engine_start_control(struct tp_engine *engine, struct tp_error *error);
void tp_engine_end_control(struct tp_engine *engine);
int tp_engine_watch(struct tp_engine *engine, struct device *device, struct tp_error *error);
void tp_engine_plan_leave(const struct tp_engine *engine, struct device *device, uint64_t now);
/** The run is over: remember the first reason. */
void tp_engine_fail(struct tp_engine *engine, int status, const struct tp_error *error);
