/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/unix_socket.h"

/*
 * The control socket: a UNIX stream server on the control plane's loop. One JSON object a line in,
 * one a line out, in order:
 *
 *   {"command":"show","what":"interfaces"}  ->  {"ok":true,"result":[...]}
 *   {"command":"fly"}                       ->  {"ok":false,"error":"..."}
 *
 * What a client can cost is bounded: 32 clients, 64 KiB a request, one answer waiting for each, one
 * request a client and step of the loop. Two at a time may have a longer request, of at most 32
 * MiB: a configuration. A client that has not finished its request, or not taken its answer, 10 s
 * after its last one was done is ended. Where all 32 are there, a new one takes the place of one
 * that has asked nothing for 50 ms, or not taken its answer for 500 ms, the longest of them first.
 * While there is none new ones wait in the order in which they came; after 4 s they are told to try
 * again.
 *
 * An answer that takes longer than a step of the loop may is promised (tp_control_promise) and kept
 * later; until then nothing more is read from its client.
 */

#define TP_CONTROL_CLIENTS_MAX 32
#define TP_CONTROL_REQUEST_MAX ((size_t)32 << 20) /* bytes of a line, with its end */
#define TP_CONTROL_SMALL       65536              /* of one that anybody may send */
#define TP_CONTROL_LARGE_MAX   2                  /* clients that may send more */
#define TP_CONTROL_PATIENCE_MS 10000

struct tp_control_settings {
	const char *path; /* copied; missing parent directories are made (0755) */

	/**
	 * Do a command.
	 * @param request  the whole request; borrowed
	 * @param error    to set when NULL is returned
	 * @return the result, a new reference; NULL: refused. The answer is written, as far as the
	 * client's socket takes it, before control returns to the loop: a handler may call
	 * tp_loop_stop. It may not call tp_control_close. What it returns after
	 * tp_control_promise has no meaning (NULL is right).
	 */
	json_t *(*handle)(
		void *owner, const char *command, const json_t *request, struct tp_error *error);
	void *owner;

	struct tp_unix_access access; /* mode 0: 0600 */
	unsigned patience_ms;         /* 0: TP_CONTROL_PATIENCE_MS */
};

struct tp_control_socket;

/**
 * Serve a control socket. A stale socket file, on which nobody accepts, is replaced;
 * one that somebody serves and a file of another kind are refused.
 *
 * @return the server, or NULL with *error set. Threading: the loop's thread, as all functions here.
 */
struct tp_control_socket *tp_control_open(
	struct tp_loop *loop, const struct tp_control_settings *settings, struct tp_error *error);

/** Hang up on all clients, remove the socket file if it is still ours, free. NULL is allowed. */
void tp_control_close(struct tp_control_socket *control);

/**
 * Promise an answer to the request that is being handled; for handlers, once a request.
 * @return the promise's number.
 */
uint64_t tp_control_promise(struct tp_control_socket *control);

/**
 * Keep a promise. Nothing happens if its client is gone.
 * @param result  the result, a reference that is taken; NULL: refused
 * @param reason  why, when it is refused
 */
void tp_control_keep(
	struct tp_control_socket *control, uint64_t promise, json_t *result, const char *reason);

/** How many clients are connected. */
unsigned tp_control_clients(const struct tp_control_socket *control);
