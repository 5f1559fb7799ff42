/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest_ring.h"
#include "path/worker.h"

/*
 * A whole dataplane without sockets, for unit tests: tenants of guests whose rings lie in memory
 * files, and a worker that the test itself drives, sweep by sweep.
 */

#define SCENE_GUESTS    8
#define SCENE_WORKERS   2
#define SCENE_RING      64
#define SCENE_BUFFER    2048
#define SCENE_MERGEABLE TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF)

struct scene_guest {
	struct guest memory;
	struct guest_ring tx;
	struct guest_ring rx;
	uint8_t *tx_buffer[SCENE_RING];
	uint8_t *rx_buffer[SCENE_RING];
	uint16_t tx_next; /* next buffer to send with */
	uint64_t mac;
	struct tp_context *context;
	int kick_fd;
	bool silent;
	struct iocb arm;
	unsigned armed_at;          /* whose doorbell that is */
	uint16_t baton[SCENE_RING]; /* of rx, where there are several workers */
};

struct scene {
	unsigned guests;
	unsigned tenants;
	struct scene_guest guest[SCENE_GUESTS];
	struct tp_context_store *store;
	struct tp_dataplane *dataplane;
	struct tp_worker *worker; /* the first one */
	struct tp_worker *workers[SCENE_WORKERS];
	bool evicting;
};

/** How the scene differs from the plain one: one tenant, checks on, unknown dropped, frames held 10
 * s. */
struct scene_options {
	unsigned workers;  /* 0 stands for 1; of several each serves every so many-th guest */
	unsigned guests;   /* in all tenants together */
	unsigned tenants;  /* 0 stands for 1; guests are dealt out in consecutive blocks */
	uint64_t features; /* of all rings, beside VERSION_1 */
	bool same_macs;    /* each tenant has the same MACs */
	bool flood_unknown;
	bool learning;
	bool no_source_check;
	bool drop_when_full;
	uint64_t hold_ns;         /* 0 stands for 10 s */
	unsigned receive_buffers; /* posted at start; 0 stands for all */
	const char *vector;
	uint32_t hot_contexts; /* 0 stands for all */
	uint64_t stay_hot_ns;  /* 0 stands for 10 s */
	bool dense;            /* no hot-context cache */
	bool silent;           /* guests that never kick, and do not say so */
	bool prices;           /* classes are refused above their bid: 2, the dear one 64 */
	unsigned pinned;       /* so many guests, the first ones, are of a pinned class */
	unsigned dear;         /* so many guests, the last ones, are of a class that bids most */
	/* Guests with a weight are each of a class of its own, SCENE_OWN + guest. */
	uint32_t weight[SCENE_GUESTS];
	struct tp_rate rate[SCENE_GUESTS];
	struct tp_uplink *uplink;                /* NULL: there is none */
	struct tp_network network[SCENE_GUESTS]; /* of each tenant, on that uplink */
	struct tp_underlay underlay;             /* without an address: no tunnels */
	struct tp_far_mac far_macs[2];           /* behind tunnels; key 0: none */
	struct tp_tariff tariff;                 /* all 0 stands for 16 and 1 */
	uint64_t sweep_budget_ns; /* 0 stands for 10 s: bursts are whole on a busy machine too */
};

/* Classes of a scene. */
enum { SCENE_PLAIN, SCENE_PINNED, SCENE_DEAR, SCENE_OWN, SCENE_CLASSES = SCENE_OWN + SCENE_GUESTS };

/** The EAL, without huge pages; once in a program, and scene_begin does it as well. */
void scene_start_eal(void);

/** Build the scene; receive buffers are posted, nothing is sent yet. */
void scene_begin(struct scene *scene, const struct scene_options *options);
void scene_end(struct scene *scene);

/**
 * What control does for doorbells, and one sweep. In programs built with SCENE_EVICT every ring
 * that can go cold after it does: what follows begins with a kick and a load.
 * @return frames completed.
 */
unsigned scene_sweep(struct scene *scene);

/** Arm the doorbells that the workers want armed. */
void scene_arm(struct scene *scene);

/** Stop a guest's transmit ring, as control does. */
void scene_stop(struct scene *scene, unsigned guest);

/** Start it anew. */
void scene_start(struct scene *scene, unsigned guest, const struct scene_options *options);

/** Let another worker serve a guest's transmit ring, as control does. */
void scene_move(
	struct scene *scene, unsigned guest, unsigned worker, const struct scene_options *options);

/** Have a guest announced by a MAC, as control does. */
void scene_announce(struct scene *scene, unsigned guest, uint64_t mac);

/** Where a guest's transmit ring stands. */
enum tp_residence scene_residence(const struct scene_guest *guest);

/** A snapshot of the scene as `options` describe it, sealed and not published. */
struct tp_snapshot *scene_snapshot(struct scene *scene, const struct scene_options *options);

/** MAC of the n-th guest of a tenant, as tp_mac_load gives it. */
uint64_t scene_mac(unsigned n);

/** Write an Ethernet header: 14 bytes. */
void scene_header(uint8_t *frame, uint64_t to, uint64_t from);

/** Let a guest send `length` bytes. @return false if its ring is full. */
bool scene_send(struct scene_guest *guest, const uint8_t *frame, uint32_t length);

/** Send a frame that carries a number behind its header. */
bool scene_send_number(struct scene_guest *guest, uint64_t to, uint64_t number, uint32_t length);

/**
 * Take one frame that a guest has received and post its buffers again.
 * @param frame  65,536 bytes
 * @return its length, 0 if there is none.
 */
uint32_t scene_receive(struct scene_guest *guest, uint8_t *frame);

/** The number in a frame of scene_send_number. */
uint64_t scene_number(const uint8_t *frame);

/** Check tx_frames = delivered + drops for each guest, and the sum over receivers. */
void scene_check_sums(const struct scene *scene);

/** What a guest was charged so far, in sixteenths of a credit. */
uint64_t scene_bill(const struct scene_guest *guest);

/** How often the pinned rings were polled so far. */
uint64_t scene_pinned_polls(const struct scene *scene);

/** Fill a guest up, and have a pinned one send it a frame: this is tried whenever the pinned ring
 * is polled, so that its bursts come between all others. */
void scene_keep_trying(struct scene *scene, unsigned pinned, unsigned full, unsigned filler);

uint64_t scene_counter(const struct scene_guest *guest, enum tp_counter counter);
uint64_t scene_drops(const struct scene_guest *guest, enum tp_drop drop);
