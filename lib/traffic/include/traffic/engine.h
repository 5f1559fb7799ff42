/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"
#include "frontend/frontend.h"
#include "traffic/rewrite.h"
#include "traffic/schedule.h"
#include "traffic/size.h"
#include "traffic/stamp.h"
#include "traffic/talk.h"

/*
 * The engine plays the devices: threads that fill and empty their rings.
 *
 *   tp_engine_new     devices known, not connected
 *   tp_engine_attach  handshakes; the devices are there, nobody touches their rings
 *   tp_engine_start   threads forward, in the mode and with the load of the moment
 *   tp_engine_stop    no new frames; what is on its way is waited for; threads idle
 *   tp_engine_free
 *
 * A device belongs to the thread that plays it, or while it is away (not connected, or leaving) to
 * the engine's control thread, which reconnects it. Counters are read while the threads are held.
 */

#define TP_ENGINE_THREADS_MAX 16
#define TP_ENGINE_GROUPS_MAX  32

/** One device, as given. */
struct tp_engine_device {
	struct tp_frontend_settings frontend; /* path and all else */
	uint8_t mac[6];
	unsigned group;    /* 0..31: devices that are counted together and may have a load of their
			      own, such as those of a class */
	bool deaf;         /* never takes a frame from its receive rings */
	double slow;       /* takes at most so many frames a second; 0: no limit */
	double away_every; /* seconds: hangs up so often and comes back; 0: never */
	double away_for;   /* seconds that it stays away */
};

/** What the devices of one group send, where that is not what all send. */
struct tp_engine_part {
	bool own_rate, own_arrival, own_size;
	struct tp_load
		rate; /* of it what tp_load_parse_rate sets; "total" is shared by the group */
	struct tp_load arrival; /* of it what tp_load_parse_arrival sets */
	struct tp_size size;
};

/** What may be changed while stopped. */
struct tp_engine_load {
	enum tp_mode mode;
	struct tp_size size;
	struct tp_load load;
	struct tp_engine_part part[TP_ENGINE_GROUPS_MAX]; /* by group; zeros: as all */
	struct tp_talk_settings talk;
	enum tp_verify verify;
	unsigned burst;    /* most frames of a device in one go, 1..512; 0: 32 */
	uint64_t tx_first; /* bursts that forwarding modes send once, at start */
	bool loop;         /* forward out of the device that received, not out of its partner:
			      0 with 1, 2 with 3, ... (testpmd's --port-topology) */
};

struct tp_engine_settings {
	unsigned threads;               /* 1..16 */
	int cpu[TP_ENGINE_THREADS_MAX]; /* of each thread, -1: any */
	bool reconnect; /* come back when the back-end hangs up; else that is an error */
	bool pipelined; /* attach all devices step by step together */
};

/** Counts since the last clear. */
struct tp_engine_counts {
	uint64_t tx_frames; /* given to the back-end */
	uint64_t tx_bytes;  /* of frames */
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t tx_missed;  /* due, but the ring was full until too late (limited rate); forwarded,
				and no room */
	uint64_t rx_strays;  /* no stamp of ours, or of a flow that does not end here */
	uint64_t rx_corrupt; /* a stamp of ours, but stamp, headers or payload are damaged */
	uint64_t rx_wrong;   /* right, but received by a device that it was not for */
};

/** What became of the stamped frames: of all flows, or of those that begin or end in a group. */
struct tp_engine_order {
	uint64_t sent;     /* of these flows */
	uint64_t in_ring;  /* of these, the back-end has not given the buffers back */
	uint64_t received; /* for the first time */
	uint64_t lost;     /* sent - in_ring - received, at least 0; exact when stopped */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t late;
};

struct tp_engine_report {
	double seconds; /* of the time measured: since start or clear, until stop or now */
	double cpu;     /* share of that time that the threads ran, 0..1, the least of them */
	unsigned devices;
	unsigned connected;
	uint64_t reconnects;
	struct tp_engine_counts counts;
	struct tp_engine_order order;
	double jain;    /* Jain's index of received frames over the flows that sent; 0: none */
	unsigned flows; /* that sent */
	struct tp_histogram latency; /* nanoseconds from stamp to look */
	uint64_t stalls;             /* the generator's own gaps beyond 50 us */
	double stall_seconds;        /* in them */
	double stall_longest;        /* seconds */
};

/**
 * Reports of one moment, of all and of each group. The counts of a group are those of its devices;
 * order, jain, flows and latency are of the flows that end there (to), or that begin there (from).
 */
struct tp_engine_reports {
	struct tp_engine_report all;
	unsigned groups; /* the highest number plus one: the rest of the arrays is unset */
	struct tp_engine_report to[TP_ENGINE_GROUPS_MAX];
	struct tp_engine_report from[TP_ENGINE_GROUPS_MAX];
};

struct tp_engine; /* opaque */

/** @param devices  copied; the paths are not. @return NULL with *error set. Threading: one control
 * thread for all functions that have no other word. */
struct tp_engine *tp_engine_new(const struct tp_engine_settings *settings,
	const struct tp_engine_device *devices, unsigned count, struct tp_error *error);

/** Make all devices' memory and attach them. @param elapsed_ns  handshakes alone; may be NULL.
 * @return 0, or negative errno with *error set. */
int tp_engine_attach(struct tp_engine *engine, uint64_t *elapsed_ns, struct tp_error *error);

/** Set the load. @return 0, -EBUSY while running, -EINVAL ... with *error set. */
int tp_engine_set_load(
	struct tp_engine *engine, const struct tp_engine_load *load, struct tp_error *error);

/** The load as set. */
const struct tp_engine_load *tp_engine_load(const struct tp_engine *engine);

/**
 * How a device takes frames from now on: as tp_engine_device has it.
 * @return 0, or -EBUSY while running, with *error set.
 */
int tp_engine_set_appetite(
	struct tp_engine *engine, unsigned device, bool deaf, double slow, struct tp_error *error);

/** Start forwarding. Does not clear counts. @return 0 or negative errno with *error set. */
int tp_engine_start(struct tp_engine *engine, struct tp_error *error);

/**
 * Stop, wait (at most a second) until the rings are drained. Stopping what is stopped does nothing.
 * @return 0, or the error that ended the run meanwhile (-EPROTO: nonsense in a used ring;
 * -ECONNRESET: the back-end hung up), with *error naming device, ring and what was found.
 */
int tp_engine_stop(struct tp_engine *engine, struct tp_error *error);

/** Has the run ended by itself? As tp_engine_stop's return, 0 while all is well. Never blocks. */
int tp_engine_failed(const struct tp_engine *engine, struct tp_error *error);

/** All counts, histograms, and what is measured, to zero; also while running: then what was sent
 * before, and comes after, is in nobody's loss. */
void tp_engine_clear(struct tp_engine *engine);

/**
 * Hold the threads for a moment, so that several reports are of the same one; also inside each
 * other. While running that delays frames, and is counted as a stall.
 */
void tp_engine_hold(struct tp_engine *engine);
void tp_engine_go_on(struct tp_engine *engine);

/** A report, also while running: then it holds the threads. */
void tp_engine_report(struct tp_engine *engine, struct tp_engine_report *report);

/** Counts of one device. As tp_engine_report. */
void tp_engine_device_counts(
	struct tp_engine *engine, unsigned device, struct tp_engine_counts *counts);

/** As tp_engine_report, also of each group: in one pass. @param reports  300 KiB */
void tp_engine_reports(struct tp_engine *engine, struct tp_engine_reports *reports);

/** Flows of the load that is set: each direction between two devices, on each queue pair. */
unsigned tp_engine_flow_count(const struct tp_engine *engine);

/**
 * What became of one flow's frames. `in_ring` is not told: lost counts those frames as well.
 * @param flow      less than tp_engine_flow_count
 * @param from, to  device numbers
 */
void tp_engine_flow_order(struct tp_engine *engine, unsigned flow, struct tp_engine_order *order,
	unsigned *from, unsigned *to);

/** Detach all (in order, unless the engine failed), give everything back. NULL is allowed. */
void tp_engine_free(struct tp_engine *engine);
