/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "appliance.h"
#include "frontend/frontend.h"

/*
 * A scene: one appliance, guests at its sockets, frames between them. MACs are 02:00:00:00:00:NN
 * with a number NN; a number above 0xff is the broadcast address. What a frame carries follows from
 * its seed, so every byte is checked.
 */

#define GUESTS_MAX 8
#define BROADCAST  0x100

#define MERGEABLE   (1ull << VIRTIO_NET_F_MRG_RXBUF)
#define EVENT_INDEX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT    (1ull << VIRTIO_RING_F_INDIRECT_DESC)

/* An interface of a configuration: its name, also that of its socket, its MAC's last byte, and more
 * members, each with a comma before it. */
#define INTERFACE(name, mac, more)                                                                 \
	"'" name "': {'mac': '02:00:00:00:00:" mac "', 'class': 'gold', 'socket': '@/" name        \
	".sock'" more "}"

struct scene {
	struct appliance appliance;
	struct tp_frontend *guest[GUESTS_MAX];
	char path[GUESTS_MAX][64];
};

/** cmocka setup and teardown: an empty scene; whatever a test leaves behind is removed. */
int scene_setup(void **state);
int scene_teardown(void **state);

/** Configure and start the appliance. As appliance_configure. */
void scene_start(struct scene *scene, const char *dataplane, const char *tenants);

/** Hang up all guests, look at the sums, stop the appliance. */
void scene_end(struct scene *scene);

/** Attach guest i to socket `name` of the appliance's directory. settings may be NULL. */
struct tp_frontend *scene_attach(struct scene *scene, unsigned i, const char *name,
	const struct tp_frontend_settings *settings);

/** Hang up a guest without a word. */
void scene_hang_up(struct scene *scene, unsigned i);

#define SAID_BYTES 100 /* of the frames of guest_say */

/** Fill in a frame of `length` bytes, 14 at least. */
void frame_make(uint8_t *frame, size_t length, unsigned to, unsigned from, uint32_t seed);

/** Send a frame; waits up to 5 s for room. */
void guest_send(
	struct tp_frontend *guest, unsigned queue_pair, const uint8_t *frame, size_t length);

/** Make and send a frame of 100 bytes on queue pair 0. */
void guest_say(struct tp_frontend *guest, unsigned to, unsigned from, uint32_t seed);

/** Expect exactly this frame next, within 5 s. */
void guest_expect(
	struct tp_frontend *guest, unsigned queue_pair, const uint8_t *frame, size_t length);

/** Expect the frame of guest_say. */
void guest_hear(struct tp_frontend *guest, unsigned to, unsigned from, uint32_t seed);

/** Expect that nothing has come; to be asked after what was sent is seen to be completed. */
void guest_expect_silence(struct tp_frontend *guest);

/** Wait until the switch has completed every frame of the guest. */
void guest_wait_completed(struct tp_frontend *guest);

/*
 * Two well-behaved guests that exchange frames all the time in a thread of their own, each frame
 * with its number, checked for order, loss and content.
 */
struct neighbours {
	struct tp_frontend *guest[2];
	unsigned mac[2];
	pthread_t thread;
	atomic_bool stop;
	_Atomic uint64_t exchanged; /* frames that arrived, both ways */
	char wrong[256];            /* "" while all is well */
	bool running;
};

/** Let guests 0 and 1 of the scene, with MACs 1 and 2, be neighbours of what happens. */
void neighbours_start(struct scene *scene);

/** They must have exchanged frames since the last time, and without any fault. */
void neighbours_expect_well(void);

/** Stop when every frame on its way has arrived; checks as above. */
void neighbours_stop(void);
