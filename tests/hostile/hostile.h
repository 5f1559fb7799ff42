/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frontend/frontend.h"

/*
 * The hostile guest: a front-end that does one thing wrong, as a process of its own, against a
 * switch that runs. It says what became of its connections; whether the switch lives and its other
 * guests are served is for whoever started it to see.
 *
 * It has two interfaces: "bad", with which it misbehaves, and "peer", an accomplice that sends to
 * and hears from it. A case that cannot be played at all (nobody answers on the socket) ends the
 * process with a line that says so.
 */

/* MACs are 02:00:00:00:00:NN. */
#define BAD_MAC   0x10
#define PEER_MAC  0x11
#define BROADCAST 0x100

#define FRAME_BYTES 100

/* The requests of the protocol, those that a switch need not offer among them. */
#define REQUEST_MAX 40

struct hostile {
	const char *bad_path;
	const char *peer_path;
	bool serve;     /* sockets are served for a switch that connects */
	unsigned times; /* multiplies how often a case repeats what it does */
	struct tp_frontend *bad;
	struct tp_frontend *peer;
	unsigned ended;   /* connections that the switch hung up on */
	unsigned open;    /* those that it should have, and did not within seconds */
	bool served;      /* frames pass from bad to peer after what was done */
	bool judged;      /* `served` was looked at */
	double attach_ms; /* how long another guest's attaching took meanwhile; 0: not tried */
	char wrong[200];  /* what the switch did and should not have; "" */
};

struct hostile_case {
	unsigned number; /* of the catalogue, docs/security.md */
	const char *name;
	void (*run)(struct hostile *hostile); /* NULL: `skipped` says why */
	/* What is right for Turnpike: */
	const char *ends; /* it hangs up, for a reason with these words; NULL: it goes on serving */
	const char *drop; /* a drop of the bad interface, or "peer." and one of its peer's */
	bool either;      /* hanging up and serving are both right */
	bool lab;         /* to be played where MACs are learned */
	const char *skipped;
};

struct hostile_group {
	const char *name;
	const struct hostile_case *cases;
	unsigned count;
};

extern const struct hostile_group hostile_protocol, hostile_memory, hostile_setup, hostile_ring,
	hostile_frames;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- connections: connection.c --- */

/** End the process: the case could not be played. */
__attribute__((format(printf, 1, 2), noreturn)) void hostile_fail(const char *format, ...);

/** A socket to the bad interface, nothing said yet. */
int hostile_open(const struct hostile *hostile);

/** Wait for the switch to hang up, count it, close the socket. */
void hostile_expect_end(struct hostile *hostile, int socket);

/** Attach the bad guest, in place of one that is there. Not acknowledged: what is wrong ends it. */
struct tp_frontend *hostile_come(
	struct hostile *hostile, const struct tp_frontend_settings *settings);

/** Its peer, attached if it is not there; settings count the first time. */
struct tp_frontend *hostile_peer(
	struct hostile *hostile, const struct tp_frontend_settings *settings);

/** Hang up without a word. */
void hostile_leave(struct hostile *hostile);

/** hostile_expect_end for the bad guest, which leaves. */
void hostile_expect_thrown_out(struct hostile *hostile);

/** How long does it take another guest to attach just now? Notes the longest. */
void hostile_time_attach(struct hostile *hostile);

/** How many times to repeat: as asked, a few where each connection waits for the switch. */
unsigned hostile_times(const struct hostile *hostile, unsigned normal);

/* --- messages --- */

void hostile_say_raw(int socket, uint32_t request, uint32_t flags, uint32_t size,
	const void *payload, uint32_t payload_size, const int *fds, unsigned fd_count);
void hostile_say(int socket, uint32_t request, const void *payload, uint32_t size, const int *fds,
	unsigned fd_count);
void hostile_say_u64(int socket, uint32_t request, uint64_t value, int fd);
void hostile_say_ring(int socket, uint32_t request, uint32_t ring, uint32_t value);

/** Ask where a ring stopped. @return its base; the case ends if there is no answer. */
unsigned hostile_stop_ring(struct tp_frontend *guest, unsigned number);

/** Let it run again from there. */
void hostile_start_ring(struct tp_frontend *guest, unsigned number, unsigned base);

/** Describe the guest's own memory table: bytes of the message. */
uint32_t hostile_memory_table(
	const struct tp_frontend *guest, struct vhost_user_memory_table *table);

/* --- frames: traffic.c --- */

void hostile_frame(uint8_t *frame, size_t length, unsigned to, unsigned from, uint32_t seed);

/** Send one; waits up to 2 s for room. @return false: there was none, or nobody is there. */
bool hostile_send(struct tp_frontend *guest, const uint8_t *frame, size_t length);

/** The same of FRAME_BYTES, made here. */
bool hostile_talk(struct tp_frontend *guest, unsigned to, unsigned from, uint32_t seed);

/** Take all that is there and forget it. @return how many, or negative: nonsense. */
int hostile_drain(struct tp_frontend *guest);

/** Wait for exactly this frame, others are thrown away. */
bool hostile_hear(struct tp_frontend *guest, const uint8_t *frame, size_t length);

/** Frames pass from one to the other, in order. */
bool hostile_exchange(struct tp_frontend *from, struct tp_frontend *to, unsigned from_mac,
	unsigned to_mac, unsigned count);

/** Notes whether frames pass from bad to peer. */
void hostile_judge_served(struct hostile *hostile);

/** Notes what the switch did wrong; the first one counts. */
__attribute__((format(printf, 2, 3))) void hostile_wrong(
	struct hostile *hostile, const char *format, ...);

/** Make the transmit ring's descriptor available, and wait for it to be used (1 s). Notes whether
 * it was, as `served`. */
void hostile_post(struct hostile *hostile, uint16_t head);

/** Case 44, in a file of its own: rewrite.c. */
void hostile_rewrites(struct hostile *hostile);

/** An address of the guest's memory, as its descriptors have it. */
uint64_t hostile_buffer(const struct tp_frontend *guest, unsigned ring, unsigned slot);
