/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections and messages of the hostile guest. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

#define PATIENCE_MS 4000
/* A switch that connects tries again once in a second or so. */
#define PATIENCE_SERVING_MS 15000
/* And may set its ports up anew before it looks at one. */
#define SETTLE_US 1200000

void hostile_fail(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '"' || *c == '\\' ? '\'' : *c;
	printf("{\"failed\": \"%s\"}\n", text);
	exit(1);
}

static unsigned patience(const struct hostile *hostile)
{
	return hostile->serve ? PATIENCE_SERVING_MS : PATIENCE_MS;
}

int hostile_open(const struct hostile *hostile)
{
	struct tp_error error = {""};
	int socket, listener;

	if (!hostile->serve) {
		socket = tp_channel_connect(hostile->bad_path, PATIENCE_MS, &error);
	} else {
		listener = tp_channel_listen(hostile->bad_path, &error);
		if (listener < 0)
			hostile_fail("%s", error.text);
		socket = tp_channel_accept(listener, PATIENCE_SERVING_MS, &error);
		close(listener);
	}
	if (socket < 0)
		hostile_fail("%s", error.text);
	return socket;
}

void hostile_expect_end(struct hostile *hostile, int socket)
{
	if (tp_channel_wait_closed(socket, PATIENCE_MS) == 0)
		hostile->ended++;
	else
		hostile->open++;
	close(socket);
}

static struct tp_frontend *attach(
	const struct hostile *hostile, const char *path, const struct tp_frontend_settings *wanted)
{
	struct tp_frontend_settings settings = {0};
	struct tp_error error = {""};
	struct tp_frontend *guest;

	if (wanted != NULL)
		settings = *wanted;
	settings.path = path;
	settings.serve = hostile->serve;
	settings.timeout_ms = patience(hostile);
	guest = tp_frontend_attach(&settings, &error);
	if (guest == NULL)
		hostile_fail("%s", error.text);
	return guest;
}

struct tp_frontend *hostile_come(
	struct hostile *hostile, const struct tp_frontend_settings *settings)
{
	struct tp_frontend_settings silent = {0};

	if (settings != NULL)
		silent = *settings;
	hostile_leave(hostile);
	/* Acknowledged while it comes, so that it is known to be there. */
	hostile->bad = attach(hostile, hostile->bad_path, &silent);
	hostile->bad->settings.no_acks = true;
	if (hostile->serve)
		usleep(SETTLE_US);
	return hostile->bad;
}

struct tp_frontend *hostile_peer(
	struct hostile *hostile, const struct tp_frontend_settings *settings)
{
	if (hostile->peer == NULL)
		hostile->peer = attach(hostile, hostile->peer_path, settings);
	return hostile->peer;
}

void hostile_leave(struct hostile *hostile)
{
	tp_frontend_free(hostile->bad);
	hostile->bad = NULL;
}

void hostile_expect_thrown_out(struct hostile *hostile)
{
	if (tp_channel_wait_closed(hostile->bad->socket, PATIENCE_MS) == 0)
		hostile->ended++;
	else
		hostile->open++;
	hostile_leave(hostile);
}

void hostile_time_attach(struct hostile *hostile)
{
	uint64_t began = tp_now_ns();
	double took;

	tp_frontend_free(hostile->peer);
	hostile->peer = NULL;
	hostile_peer(hostile, NULL);
	took = (double)(tp_now_ns() - began) / 1e6;
	if (took > hostile->attach_ms)
		hostile->attach_ms = took;
}

unsigned hostile_times(const struct hostile *hostile, unsigned normal)
{
	return hostile->serve ? (normal < 3 ? normal : 3) : normal * hostile->times;
}

/* The switch may have hung up already: what cannot be sent is not missed. */
void hostile_say_raw(int socket, uint32_t request, uint32_t flags, uint32_t size,
	const void *payload, uint32_t payload_size, const int *fds, unsigned fd_count)
{
	struct vhost_user_message message = {
		.header = {.request = request, .flags = flags, .size = size}};

	if (payload_size > 0)
		memcpy(message.payload.bytes, payload, payload_size);
	tp_channel_send_bytes(
		socket, &message, sizeof(message.header) + payload_size, fds, fd_count);
}

void hostile_say(int socket, uint32_t request, const void *payload, uint32_t size, const int *fds,
	unsigned fd_count)
{
	hostile_say_raw(socket, request, VHOST_USER_VERSION, size, payload, size, fds, fd_count);
}

void hostile_say_u64(int socket, uint32_t request, uint64_t value, int fd)
{
	hostile_say(socket, request, &value, sizeof(value), &fd, fd >= 0);
}

void hostile_say_ring(int socket, uint32_t request, uint32_t ring, uint32_t value)
{
	const struct vhost_vring_state state = {.index = ring, .num = value};

	hostile_say(socket, request, &state, sizeof(state), NULL, 0);
}

unsigned hostile_stop_ring(struct tp_frontend *guest, unsigned number)
{
	struct vhost_user_message message = {.header = {.request = VHOST_USER_GET_VRING_BASE,
						     .size = sizeof(message.payload.state)},
		.payload.state = {.index = number}};
	struct tp_error error = {""};

	if (tp_frontend_ask(guest, &message, NULL, 0, &error) < 0)
		hostile_fail("ring %u: %s", number, error.text);
	return message.payload.state.num;
}

void hostile_start_ring(struct tp_frontend *guest, unsigned number, unsigned base)
{
	hostile_say_ring(guest->socket, VHOST_USER_SET_VRING_BASE, number, base);
	hostile_say_u64(
		guest->socket, VHOST_USER_SET_VRING_KICK, number, guest->ring[number].kick_fd);
}

uint32_t hostile_memory_table(
	const struct tp_frontend *guest, struct vhost_user_memory_table *table)
{
	*table = (struct vhost_user_memory_table){.count = guest->region_count};
	memcpy(table->region, guest->region, sizeof(guest->region));
	return (uint32_t)(offsetof(struct vhost_user_memory_table, region) +
			  guest->region_count * sizeof(table->region[0]));
}
