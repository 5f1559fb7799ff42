/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "message.h"
#include "vhost/endpoint.h"

/*
 * A scripted front-end and a recording owner for tests of an endpoint: both run in the test's own
 * thread, the loop is stepped until nothing more happens.
 */

#define MEMORY_SIZE   (1u << 20)
#define GUEST_ADDRESS 0x40000000ull
#define USER_ADDRESS  0x7f0000000000ull
#define RING_SIZE     256

/* What the switch offers in these tests: MRG_RXBUF, MQ, VERSION_1. */
#define OFFERED (1ull << 15 | 1ull << 22 | VHOST_F_VERSION_1)

struct record {
	unsigned connected;
	unsigned disconnected;
	char reason[224];
	unsigned starts[TP_VHOST_RINGS_MAX];
	unsigned stops[TP_VHOST_RINGS_MAX];
	bool runs[TP_VHOST_RINGS_MAX];
	unsigned retirements;                          /* of several rings at once, */
	uint32_t retired;                              /* and which they were the last time */
	struct tp_vhost_ring ring[TP_VHOST_RINGS_MAX]; /* as last started */
	const struct tp_guest_memory *memory;          /* as last started */
	uint64_t features;
	uint16_t next_index; /* what ring_stop answers */
	uint16_t mtu;
	uint8_t mac[6];
	bool refuse_start;
	bool condemn_in_mtu_set;
	bool condemn_in_connected;
};

struct scene {
	struct tp_loop *loop;
	struct tp_vhost_endpoint *endpoint;
	struct record record;
	char directory[64];
	char path[108];
	unsigned descriptors; /* of this process, with nobody connected */
	int fd;               /* the front-end's socket, -1: none */
	int memory_fd;
	int kick_fd; /* passed for every kick, call and err */
};

/* cmocka set-up and tear-down: an endpoint with two queue pairs that listens. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/** Open the endpoint (again) as a server or client with this many queue pairs. */
void scene_open(struct scene *scene, bool client, unsigned queue_pairs);

/** Step the loop until nothing more happens. */
void scene_settle(struct scene *scene);

/** Step the loop for so many milliseconds. */
void scene_wait(struct scene *scene, unsigned ms);

void front_connect(struct scene *scene);
void front_hang_up(struct scene *scene);

/** Send one message, then let the endpoint handle it. */
void front_send(struct scene *scene, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned fd_count);
void front_send_u64(struct scene *scene, uint32_t request, uint64_t value);
void front_send_ring(struct scene *scene, uint32_t request, uint32_t ring, uint32_t value);
void front_send_eventfd(struct scene *scene, uint32_t request, unsigned ring);
void front_send_addresses(struct scene *scene, unsigned ring);
void front_send_memory(struct scene *scene);

/** Send without waiting; EPIPE is no failure. */
void front_send_raw(
	struct scene *scene, const void *bytes, size_t size, const int *fds, unsigned fd_count);

/** Receive a reply of 8 bytes to this request. */
uint64_t front_reply(struct scene *scene, uint32_t request);

/** Has nothing been sent to the front-end? */
bool front_nothing_to_read(struct scene *scene);

/** Features, memory and everything of these rings, as a front-end with protocol features does. */
void front_start(struct scene *scene, unsigned rings);

/**
 * The connection has ended: for a reason that contains this text, with every ring stopped and every
 * descriptor given back, and a new front-end is served.
 */
void expect_end(struct scene *scene, const char *reason);

unsigned count_descriptors(void);

/** So many are open, or will be in a moment: what a front-end passed may be closed beside. */
void expect_descriptors(unsigned expected);
