/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/burst.h"
#include "frontend/channel.h"
#include "frontend_internal.h"

/* What we can make use of, when the back-end has it. */
#define PROTOCOL_FEATURES                                                                          \
	(1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |              \
		1ull << VHOST_USER_PROTOCOL_F_NET_MTU | 1ull << VHOST_USER_PROTOCOL_F_RARP |       \
		1ull << VHOST_USER_PROTOCOL_F_RESET_DEVICE |                                       \
		1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |                                \
		1ull << VHOST_USER_PROTOCOL_F_STATUS)

/* --- The handshake, in steps that can run on many devices at a time. A step ends with questions or
 * requests sent; the next one begins by reading the answers. --- */

static int ask_u64(struct tp_frontend *frontend, uint32_t request, struct tp_error *error)
{
	struct vhost_user_message message = {.header.request = request};

	return tp_frontend_send_question(frontend, &message, NULL, 0, error);
}

static int read_u64(
	struct tp_frontend *frontend, uint32_t request, uint64_t *value, struct tp_error *error)
{
	struct vhost_user_message reply;
	int status = tp_frontend_read_reply(frontend, request, &reply, error);

	if (status < 0)
		return status;
	if (reply.header.size != sizeof(uint64_t))
		return tp_error_set(error, EPROTO, "%s: request %u: a reply of %u bytes, not 8",
			frontend->settings.path, request, reply.header.size);
	*value = reply.payload.u64;
	return 0;
}

static int set_u64(
	struct tp_frontend *frontend, uint32_t request, uint64_t value, struct tp_error *error)
{
	struct vhost_user_message message = {
		.header = {.request = request, .size = sizeof(value)}, .payload.u64 = value};

	return tp_frontend_send_request(frontend, &message, NULL, 0, error);
}

static int step_own(struct tp_frontend *frontend, struct tp_error *error)
{
	struct vhost_user_message message = {.header.request = VHOST_USER_SET_OWNER};
	int status;

	/* What a connection before this one agreed on is no more. */
	frontend->features = frontend->protocol_features = 0;
	frontend->pending_count = 0;
	status = tp_frontend_send_request(frontend, &message, NULL, 0, error);
	return status < 0 ? status : ask_u64(frontend, VHOST_USER_GET_FEATURES, error);
}

static int step_features(struct tp_frontend *frontend, struct tp_error *error)
{
	uint64_t wanted = frontend->settings.features;
	int status = read_u64(frontend, VHOST_USER_GET_FEATURES, &frontend->offered, error);

	if (status < 0)
		return status;
	if (wanted & ~frontend->offered)
		return tp_error_set(error, EOPNOTSUPP,
			"%s: features 0x%llx wanted, the back-end has 0x%llx",
			frontend->settings.path, (unsigned long long)wanted,
			(unsigned long long)frontend->offered);
	frontend->features = wanted | (frontend->offered & 1ull << VHOST_USER_F_PROTOCOL_FEATURES);
	if (!tp_frontend_has(frontend, VHOST_USER_F_PROTOCOL_FEATURES))
		return 0;
	return ask_u64(frontend, VHOST_USER_GET_PROTOCOL_FEATURES, error);
}

static int step_protocol_features(struct tp_frontend *frontend, struct tp_error *error)
{
	uint64_t offered;
	int status;

	if (!tp_frontend_has(frontend, VHOST_USER_F_PROTOCOL_FEATURES))
		return 0;
	status = read_u64(frontend, VHOST_USER_GET_PROTOCOL_FEATURES, &offered, error);
	if (status < 0)
		return status;
	/* Acknowledgements begin after this request: it is sent as if there were none. */
	status = set_u64(
		frontend, VHOST_USER_SET_PROTOCOL_FEATURES, offered & PROTOCOL_FEATURES, error);
	frontend->protocol_features = offered & PROTOCOL_FEATURES;
	if (status < 0 || !tp_frontend_protocol_has(frontend, VHOST_USER_PROTOCOL_F_MQ))
		return status;
	return ask_u64(frontend, VHOST_USER_GET_QUEUE_NUM, error);
}

static int read_queues_max(struct tp_frontend *frontend, struct tp_error *error)
{
	unsigned wanted = frontend->settings.queue_pairs;
	int status = 0;

	frontend->queues_max = 1;
	if (tp_frontend_protocol_has(frontend, VHOST_USER_PROTOCOL_F_MQ))
		status = read_u64(frontend, VHOST_USER_GET_QUEUE_NUM, &frontend->queues_max, error);
	if (status == 0 && wanted > frontend->queues_max)
		return tp_error_set(error, EOPNOTSUPP,
			"%s: %u queue pairs wanted, the back-end has %llu", frontend->settings.path,
			wanted, (unsigned long long)frontend->queues_max);
	return status;
}

static int send_memory(struct tp_frontend *frontend, struct tp_error *error)
{
	const int fds[] = {frontend->memory_fd, frontend->memory_fd};
	struct vhost_user_message message = {.header.request = VHOST_USER_SET_MEM_TABLE};
	struct vhost_user_memory_table table = {.count = frontend->region_count};

	memcpy(table.region, frontend->region, sizeof(frontend->region));
	message.payload.memory = table;
	message.header.size = (uint32_t)(offsetof(struct vhost_user_memory_table, region) +
					 table.count * sizeof(table.region[0]));
	return tp_frontend_send_request(frontend, &message, fds, table.count, error);
}

static int send_ring_state(struct tp_frontend *frontend, uint32_t request, unsigned number,
	unsigned value, struct tp_error *error)
{
	struct vhost_user_message message = {
		.header = {.request = request, .size = sizeof(message.payload.state)},
		.payload.state = {.index = number, .num = value}};

	return tp_frontend_send_request(frontend, &message, NULL, 0, error);
}

static int send_ring_fd(struct tp_frontend *frontend, uint32_t request, unsigned number, int fd,
	struct tp_error *error)
{
	/* The protocol's "no descriptor": whoever gets it polls. */
	struct vhost_user_message message = {
		.header = {.request = request, .size = sizeof(message.payload.u64)},
		.payload.u64 = number | (fd < 0 ? VHOST_USER_NO_FD : 0)};

	return tp_frontend_send_request(frontend, &message, &fd, fd >= 0, error);
}

/* Where the device begins. Packed: where it makes available and where it gives back, each with its
 * wrap counter. */
static uint32_t ring_base(const struct tp_frontend_ring *ring)
{
	return ring->packed == NULL ? ring->vring.used->idx
				    : (uint32_t)ring->last << 16 | ring->last;
}

static int send_ring(struct tp_frontend *frontend, unsigned number, struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[number];
	struct vhost_user_message address = {.header = {.request = VHOST_USER_SET_VRING_ADDR,
						     .size = sizeof(address.payload.address)},
		.payload.address = {.index = number,
			.desc_user_addr = (uintptr_t)ring->vring.desc,
			.used_user_addr = (uintptr_t)ring->vring.used,
			.avail_user_addr = (uintptr_t)ring->vring.avail}};
	int status =
		send_ring_state(frontend, VHOST_USER_SET_VRING_NUM, number, ring->vring.num, error);

	if (ring->packed != NULL) {
		address.payload.address.desc_user_addr = (uintptr_t)ring->packed;
		address.payload.address.used_user_addr = (uintptr_t)ring->device_event;
		address.payload.address.avail_user_addr = (uintptr_t)ring->driver_event;
	}
	tp_burst_renew(frontend, ring);
	tp_frontend_arm_call(frontend, ring);
	if (status == 0)
		status = send_ring_state(
			frontend, VHOST_USER_SET_VRING_BASE, number, ring_base(ring), error);
	if (status == 0)
		status = tp_frontend_send_request(frontend, &address, NULL, 0, error);
	if (status == 0)
		status = send_ring_fd(
			frontend, VHOST_USER_SET_VRING_CALL, number, ring->call_fd, error);
	if (status == 0)
		status = send_ring_fd(
			frontend, VHOST_USER_SET_VRING_KICK, number, ring->kick_fd, error);
	return status;
}

static int enable_rings(struct tp_frontend *frontend, unsigned enable, struct tp_error *error)
{
	int status = 0;

	if (!tp_frontend_has(frontend, VHOST_USER_F_PROTOCOL_FEATURES))
		return 0;
	for (unsigned i = 0; status == 0 && i < frontend->ring_count; i++)
		status = send_ring_state(frontend, VHOST_USER_SET_VRING_ENABLE, i, enable, error);
	return status;
}

/* virtio 1.2, 2.1: the driver says how far it is; a back-end may wait for DRIVER_OK. */
static int set_status(struct tp_frontend *frontend, unsigned device_status, struct tp_error *error)
{
	if (!tp_frontend_protocol_has(frontend, VHOST_USER_PROTOCOL_F_STATUS))
		return 0;
	return set_u64(frontend, VHOST_USER_SET_STATUS, device_status, error);
}

#define STATUS_FEATURES_OK                                                                         \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)

static int step_rings(struct tp_frontend *frontend, struct tp_error *error)
{
	int status = read_queues_max(frontend, error);

	if (status == 0)
		status = set_u64(frontend, VHOST_USER_SET_FEATURES, frontend->features, error);
	if (status == 0)
		status = set_status(frontend, STATUS_FEATURES_OK, error);
	if (status == 0)
		status = send_memory(frontend, error);
	for (unsigned i = 0; status == 0 && i < frontend->ring_count; i++)
		status = send_ring(frontend, i, error);
	if (status == 0)
		status = enable_rings(frontend, 1, error);
	if (status == 0)
		status =
			set_status(frontend, STATUS_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK, error);
	return status;
}

/* A back-end may wait for a first kick before it starts a ring. */
static int step_finish(struct tp_frontend *frontend, struct tp_error *error)
{
	int status = tp_frontend_collect_acks(frontend, error);

	for (unsigned i = 0; status == 0 && i < frontend->ring_count; i++)
		tp_frontend_kick(&frontend->ring[i]);
	return status;
}

int tp_frontend_listen(struct tp_frontend *frontend, struct tp_error *error)
{
	if (!frontend->settings.serve || frontend->listener >= 0)
		return 0;
	frontend->listener = tp_channel_listen(frontend->settings.path, error);
	frontend->served = frontend->listener >= 0;
	return frontend->served ? 0 : frontend->listener;
}

static int step_connect(struct tp_frontend *frontend, struct tp_error *error)
{
	const struct tp_frontend_settings *settings = &frontend->settings;

	frontend->socket =
		settings->serve ? tp_channel_accept(frontend->listener, settings->timeout_ms, error)
				: tp_channel_connect(settings->path, settings->timeout_ms, error);
	if (frontend->socket >= 0) {
		/* A descriptor less; who comes back listens again. */
		if (settings->serve)
			close(frontend->listener);
		frontend->listener = -1;
		return 0;
	}
	if (settings->serve)
		tp_error_prefix(error, "%s", settings->path);
	return frontend->socket;
}

typedef int (*step)(struct tp_frontend *frontend, struct tp_error *error);

static const step connect_steps[] = {tp_frontend_listen, step_connect};
static const step handshake_steps[] = {
	step_own, step_features, step_protocol_features, step_rings, step_finish};

/* Run every step on all devices before the next step. */
static int run_steps(const step *steps, size_t step_count, struct tp_frontend **frontends,
	unsigned count, struct tp_error *error)
{
	for (size_t i = 0; i < step_count; i++) {
		for (unsigned j = 0; j < count; j++) {
			int status = steps[i](frontends[j], error);

			if (status < 0)
				return status;
		}
	}
	return 0;
}

int tp_frontend_connect(struct tp_frontend *frontend, struct tp_error *error)
{
	return run_steps(connect_steps, ARRAY_LENGTH(connect_steps), &frontend, 1, error);
}

int tp_frontend_handshake(struct tp_frontend *frontend, struct tp_error *error)
{
	return run_steps(handshake_steps, ARRAY_LENGTH(handshake_steps), &frontend, 1, error);
}

struct tp_frontend *tp_frontend_attach(
	const struct tp_frontend_settings *settings, struct tp_error *error)
{
	struct tp_frontend *frontend;

	return tp_frontend_attach_many(settings, 1, &frontend, false, NULL, error) < 0 ? NULL
										       : frontend;
}

int tp_frontend_stop(struct tp_frontend *frontend, struct tp_error *error)
{
	int status = enable_rings(frontend, 0, error);

	if (status == 0)
		status = tp_frontend_collect_acks(frontend, error);
	for (unsigned i = 0; status == 0 && i < frontend->ring_count; i++) {
		struct vhost_user_message message = {
			.header = {.request = VHOST_USER_GET_VRING_BASE,
				.size = sizeof(message.payload.state)},
			.payload.state = {.index = i}};
		const struct tp_frontend_ring *ring = &frontend->ring[i];
		uint16_t used;

		status = tp_frontend_ask(frontend, &message, NULL, 0, error);
		if (status < 0)
			break;
		if (ring->packed != NULL)
			continue; /* where it stopped is in the flags of the descriptors alone */
		used = __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE);
		if (message.payload.state.index != i || message.payload.state.num != used)
			status = tp_error_set(error, EPROTO,
				"%s: ring %u stopped at %u, its used index is %u",
				frontend->settings.path, i, message.payload.state.num, used);
	}
	return status;
}

void tp_frontend_detach(struct tp_frontend *frontend)
{
	if (frontend == NULL)
		return;
	tp_frontend_stop(frontend, NULL);
	tp_frontend_free(frontend);
}

static int connect_all(
	struct tp_frontend **frontends, unsigned count, bool pipelined, struct tp_error *error)
{
	unsigned at_a_time = pipelined ? count : 1;
	int status = run_steps(connect_steps, 1, frontends, count, error);

	for (unsigned i = 0; status == 0 && i < count; i += at_a_time) {
		status = run_steps(connect_steps + 1, 1, frontends + i, at_a_time, error);
		if (status == 0)
			status = run_steps(handshake_steps, ARRAY_LENGTH(handshake_steps),
				frontends + i, at_a_time, error);
	}
	return status;
}

int tp_frontend_attach_many(const struct tp_frontend_settings *settings, unsigned count,
	struct tp_frontend **frontends, bool pipelined, uint64_t *elapsed_ns,
	struct tp_error *error)
{
	struct tp_frontend **made = calloc(count, sizeof(*made));
	uint64_t start;
	int status = made == NULL ? -ENOMEM : 0;

	for (unsigned i = 0; status == 0 && i < count; i++) {
		made[i] = tp_frontend_new(&settings[i], error);
		if (made[i] == NULL)
			status = -ENOMEM;
	}
	start = tp_now_ns();
	if (status == 0)
		status = connect_all(made, count, pipelined, error);
	if (elapsed_ns != NULL)
		*elapsed_ns = tp_now_ns() - start;
	for (unsigned i = 0; status < 0 && made != NULL && i < count; i++)
		tp_frontend_free(made[i]);
	if (status == 0)
		memcpy(frontends, made, count * sizeof(*made));
	free(made);
	return status;
}

void tp_frontend_detach_many(struct tp_frontend **frontends, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tp_frontend_detach(frontends[i]);
}
