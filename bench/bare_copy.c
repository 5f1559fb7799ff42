/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turnpike-bench-bare: the ceiling. The same rings, frames and load as for a switch, but the
 * "switch" is a second thread that reads each descriptor, looks the destination MAC up in a hash
 * table, copies the frame and publishes once a burst. No check, no counter, no policy.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

#define BURST      32
#define HASH_SLOTS 1024
#define GUESTS     2

static const char usage[] =
	"usage: turnpike-bench-bare [options]\n"
	"  --copy-core CPU   where the copying thread runs (any)\n" CONSOLE_USAGE;

struct guest {
	struct tp_frontend *device;
	uint64_t to_host; /* add to a guest address of its one region */
	uint16_t tx_done;
	uint16_t rx_done;
};

struct hash_slot {
	uint64_t mac; /* six bytes as they are in memory */
	struct guest *guest;
};

static struct guest guests[GUESTS];
static struct hash_slot table[HASH_SLOTS];
static atomic_bool stop;
static int copy_core = -1;

static inline uint64_t read_mac(const uint8_t *bytes)
{
	uint64_t mac;

	memcpy(&mac, bytes, sizeof(mac));
	return mac & 0xffffffffffffull;
}

static inline unsigned hash(uint64_t mac)
{
	return (unsigned)((mac * 0x9e3779b97f4a7c15ull) >> 54);
}

static void remember(uint64_t mac, struct guest *guest)
{
	unsigned slot = hash(mac);

	while (table[slot].guest != NULL)
		slot = (slot + 1) % HASH_SLOTS;
	table[slot] = (struct hash_slot){mac, guest};
}

static inline struct guest *look_up(uint64_t mac)
{
	unsigned slot = hash(mac);

	while (table[slot].mac != mac && table[slot].guest != NULL)
		slot = (slot + 1) % HASH_SLOTS;
	return table[slot].guest;
}

static inline uint8_t *host(const struct guest *guest, uint64_t address)
{
	return (uint8_t *)(uintptr_t)(address + guest->to_host);
}

/* One frame into the next receive buffer. */
static inline void copy_frame(struct guest *to, const uint8_t *frame, uint32_t length)
{
	static const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	struct vring *rx = &to->device->ring[tp_receive_ring(0)].vring;
	unsigned place = to->rx_done & (rx->num - 1);
	uint16_t head = rx->avail->ring[place];
	uint8_t *buffer = host(to, rx->desc[head].addr);

	memcpy(buffer, &header, sizeof(header));
	if (length == 64)
		memcpy(buffer + sizeof(header), frame, 64);
	else
		memcpy(buffer + sizeof(header), frame, length);
	rx->used->ring[place] = (struct vring_used_elem){head, length + sizeof(header)};
	to->rx_done++;
}

/* Fetch for writing what copy_frame will write: other cores have it. */
static inline void fetch_buffer(const struct guest *to, unsigned ahead)
{
	const struct vring *rx = &to->device->ring[tp_receive_ring(0)].vring;
	uint16_t head = rx->avail->ring[(to->rx_done + ahead) & (rx->num - 1)];
	const uint8_t *buffer = host(to, rx->desc[head].addr);

	__builtin_prefetch(buffer, 1);
	__builtin_prefetch(buffer + TP_FRONTEND_HEADER_BYTES, 1);
}

static inline unsigned room_at(const struct guest *guest)
{
	const struct vring *rx = &guest->device->ring[tp_receive_ring(0)].vring;

	return (uint16_t)(__atomic_load_n(&rx->avail->idx, __ATOMIC_ACQUIRE) - guest->rx_done);
}

static inline void publish(const struct guest *guest)
{
	struct vring *rx = &guest->device->ring[tp_receive_ring(0)].vring;

	__atomic_store_n(&rx->used->idx, guest->rx_done, __ATOMIC_RELEASE);
}

/* A burst of one guest's frames. All go to the other guest, as the look-up finds anew each time. */
static void serve(struct guest *from, struct guest *to)
{
	struct vring *tx = &from->device->ring[tp_transmit_ring(0)].vring;
	uint16_t shown = __atomic_load_n(&tx->avail->idx, __ATOMIC_ACQUIRE);
	unsigned count = (uint16_t)(shown - from->tx_done);
	unsigned room = room_at(to);
	const uint8_t *frame[BURST];
	uint32_t length[BURST];

	if (count > BURST)
		count = BURST;
	if (count > room)
		count = room;
	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		unsigned place = (unsigned)(from->tx_done + i) & (tx->num - 1);
		uint16_t head = tx->avail->ring[place];
		struct vring_desc desc = tx->desc[head];

		frame[i] = host(from, desc.addr) + TP_FRONTEND_HEADER_BYTES;
		length[i] = desc.len - TP_FRONTEND_HEADER_BYTES;
		__builtin_prefetch(frame[i]);
		fetch_buffer(to, i);
		tx->used->ring[place] = (struct vring_used_elem){head, 0};
	}
	for (unsigned i = 0; i < count; i++) {
		struct guest *found = look_up(read_mac(frame[i]));

		if (found != NULL)
			copy_frame(found, frame[i], length[i]);
	}
	publish(to);
	from->tx_done = (uint16_t)(from->tx_done + count);
	__atomic_store_n(&tx->used->idx, from->tx_done, __ATOMIC_RELEASE);
}

static void *copy_loop(void *argument)
{
	(void)argument;
	if (console_pin(copy_core) < 0)
		fprintf(stderr, "cannot run on CPU %d\n", copy_core);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		serve(&guests[0], &guests[1]);
		serve(&guests[1], &guests[0]);
	}
	return NULL;
}

static int make_guests(
	const struct console_options *options, struct tp_frontend **devices, struct tp_error *error)
{
	struct tp_frontend_settings settings = {.ring_size = options->ring,
		.frame_offset = options->offset,
		.features = 1ull << VIRTIO_NET_F_MRG_RXBUF,
		.huge_pages = options->huge_pages};

	for (unsigned i = 0; i < GUESTS; i++) {
		uint8_t mac[8] = {0};

		devices[i] = tp_frontend_new(&settings, error);
		if (devices[i] == NULL)
			return -EINVAL;
		guests[i].device = devices[i];
		guests[i].to_host =
			devices[i]->region[0].user_address - devices[i]->region[0].guest_address;
		/* Nobody wants kicks. */
		devices[i]->ring[0].vring.used->flags = VRING_USED_F_NO_NOTIFY;
		devices[i]->ring[1].vring.used->flags = VRING_USED_F_NO_NOTIFY;
		memcpy(mac, options->mac, 6);
		mac[5] = (uint8_t)(mac[5] + i);
		remember(read_mac(mac), &guests[i]);
	}
	return 0;
}

static bool parse(struct console_options *console, int argc, char **argv)
{
	static const struct option options[] = {
		CONSOLE_LONG_OPTIONS, {"copy-core", required_argument, NULL, 'C'}, {0}};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'C')
			copy_core = atoi(optarg);
		else
			good = console_take(console, option, optarg);
	}
	return good && optind == argc;
}

int main(int argc, char **argv)
{
	struct console_options options = console_defaults;
	struct tp_frontend *devices[GUESTS] = {0};
	struct tp_traffic traffic;
	struct tp_error error;
	pthread_t thread;
	int status;

	if (!parse(&options, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (make_guests(&options, devices, &error) < 0 ||
		tp_traffic_init(&traffic, devices, GUESTS, 1, options.mac, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (pthread_create(&thread, NULL, copy_loop, NULL) != 0)
		return 1;
	if (console_pin(options.core) < 0)
		fprintf(stderr, "cannot run on CPU %d\n", options.core);
	status = console_run(&options, &traffic, 0);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	tp_traffic_free(&traffic);
	for (unsigned i = 0; i < GUESTS; i++)
		tp_frontend_free(devices[i]);
	return status;
}
