/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frontend/burst.h"
#include "frontend/channel.h"
#include "traffic.h"

#define HEADERS        (sizeof(struct ether_header) + sizeof(struct iphdr) + sizeof(struct udphdr))
#define STAMP_OFFSET   HEADERS /* eight bytes, in the frame's first 64 */
#define BURST          32      /* a transmit ring is filled up when it has room for this many */
#define CLOCK_ROUNDS   64      /* rounds between two looks at the clock */
#define DRAIN_QUIET_NS 20000000ull
#define DRAIN_MAX_NS   1000000000ull
#define WATCH_NS       10000000ull

/** One direction. Ring indices run freely; slots are used in ring order. */
struct tp_flow {
	struct vring *tx;
	const struct tp_frontend_ring *tx_ring;
	uint8_t *tx_frames; /* frame of slot 0 */
	uint32_t tx_stride;
	uint16_t tx_mask;
	uint16_t tx_available;
	uint64_t sent;
	uint64_t taken; /* transmit buffers that came back */
	struct vring *rx;
	const struct tp_frontend_ring *rx_ring;
	const uint8_t *rx_frames;
	uint32_t rx_stride;
	uint16_t rx_mask;
	uint16_t rx_used;
	uint64_t received;
	uint64_t missing;      /* numbers skipped so far */
	uint64_t out_of_order; /* samples behind what had been seen */
	uint64_t unordered_buffers;
	struct tp_frontend *from;
	uint64_t measured_from;
};

static uint16_t internet_checksum(const void *bytes, size_t length)
{
	const uint16_t *word = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < length / 2; i++)
		sum += word[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void write_headers(
	uint8_t *frame, uint32_t size, const uint8_t source[6], const uint8_t destination[6])
{
	struct ether_header ethernet = {.ether_type = htons(ETHERTYPE_IP)};
	struct iphdr ip = {.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(size - sizeof(ethernet))),
		.ttl = 64,
		.protocol = IPPROTO_UDP};
	struct udphdr udp = {.source = htons(9),
		.dest = htons(9),
		.len = htons((uint16_t)(size - sizeof(ethernet) - sizeof(ip)))};

	memcpy(ethernet.ether_shost, source, ETH_ALEN);
	memcpy(ethernet.ether_dhost, destination, ETH_ALEN);
	/* 198.18.0.0/15 is for benchmarks (RFC 2544). */
	ip.saddr = htonl(0xc6120000u | (uint32_t)source[4] << 8 | source[5]);
	ip.daddr = htonl(0xc6120000u | (uint32_t)destination[4] << 8 | destination[5]);
	ip.check = internet_checksum(&ip, sizeof(ip));
	memcpy(frame, &ethernet, sizeof(ethernet));
	memcpy(frame + sizeof(ethernet), &ip, sizeof(ip));
	memcpy(frame + sizeof(ethernet) + sizeof(ip), &udp, sizeof(udp));
}

static void guest_mac(uint8_t mac[6], const uint8_t first[6], unsigned guest)
{
	uint64_t value = 0;

	for (int i = 0; i < 6; i++)
		value = value << 8 | first[i];
	value += guest;
	for (int i = 5; i >= 0; i--, value >>= 8)
		mac[i] = (uint8_t)value;
}

static void init_flow(struct tp_flow *flow, struct tp_frontend *from, struct tp_frontend *to)
{
	struct tp_frontend_ring *tx = &from->ring[tp_transmit_ring(0)];
	struct tp_frontend_ring *rx = &to->ring[tp_receive_ring(0)];

	*flow = (struct tp_flow){.from = from,
		.tx = &tx->vring,
		.tx_ring = tx,
		.tx_frames = tp_frontend_frame(from, tx, 0),
		.tx_stride = from->slot_stride,
		.tx_mask = (uint16_t)(tx->vring.num - 1),
		.tx_available = tx->available,
		.rx = &rx->vring,
		.rx_ring = rx,
		.rx_frames = tp_frontend_frame(to, rx, 0),
		.rx_stride = to->slot_stride,
		.rx_mask = (uint16_t)(rx->vring.num - 1),
		.rx_used = rx->used};
	for (unsigned slot = 0; slot < tx->vring.num; slot++)
		tx->vring.avail->ring[slot] = (uint16_t)slot;
}

static void set_frame_size(struct tp_traffic *traffic, const uint8_t mac[6], uint32_t size)
{
	for (unsigned i = 0; i < traffic->flow_count; i++) {
		struct tp_frontend *from = traffic->flows[i].from;
		struct tp_frontend_ring *tx = &from->ring[tp_transmit_ring(0)];
		uint8_t source[6], destination[6];

		guest_mac(source, mac, i);
		guest_mac(destination, mac, i ^ 1);
		for (unsigned slot = 0; slot < tx->vring.num; slot++) {
			write_headers(tp_frontend_frame(from, tx, slot), size, source, destination);
			tp_burst_size(from, tx, slot, size);
		}
	}
	traffic->frame_size = size;
}

static int check_guest(const struct tp_frontend *guest, struct tp_error *error)
{
	if (guest->ring[0].piece_count == 1 && guest->settings.indirect_tables == false)
		return 0;
	return tp_error_set(error, EINVAL, "the load takes guests without chains only");
}

int tp_traffic_init(struct tp_traffic *traffic, struct tp_frontend **guests, unsigned guest_count,
	unsigned pairs, const uint8_t mac[6], struct tp_error *error)
{
	if (pairs == 0 || 2 * pairs > guest_count)
		return tp_error_set(
			error, EINVAL, "%u pairs cannot talk among %u guests", pairs, guest_count);
	*traffic = (struct tp_traffic){.guests = guests,
		.guest_count = guest_count,
		.flow_count = 2 * pairs,
		.flows = calloc(2 * pairs, sizeof(*traffic->flows))};
	if (traffic->flows == NULL)
		return tp_error_set(error, ENOMEM, "no memory for %u flows", 2 * pairs);
	memcpy(traffic->mac, mac, sizeof(traffic->mac));
	for (unsigned i = 0; i < traffic->flow_count; i++) {
		if (check_guest(guests[i], error) < 0) {
			tp_traffic_free(traffic);
			return -EINVAL;
		}
		init_flow(&traffic->flows[i], guests[i], guests[i ^ 1]);
	}
	return 0;
}

void tp_traffic_free(struct tp_traffic *traffic)
{
	free(traffic->flows);
	traffic->flows = NULL;
}

/* A back-end that sleeps wants to be told; one that polls has said that it does not. */
static void notify(const struct vring *vring, const struct tp_frontend_ring *ring)
{
	uint64_t one = 1;

	if (__atomic_load_n(&vring->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY)
		return;
	if (write(ring->kick_fd, &one, sizeof(one)) < 0)
		return; /* the eventfd is full: it has been told */
}

static inline void look_at_taken(struct tp_flow *flow, uint16_t used)
{
	uint16_t last = (uint16_t)(used - 1) & flow->tx_mask;

	flow->unordered_buffers += flow->tx->used->ring[last].id != last;
}

/* Take back what the back-end is done with and, if `sending`, give it new frames in the same
 * buffers. Acquire and release: partners are the back-end's, of the used and available index. */
static inline void transmit(struct tp_flow *flow, bool sending)
{
	uint16_t used = __atomic_load_n(&flow->tx->used->idx, __ATOMIC_ACQUIRE);
	uint16_t back = (uint16_t)(used - (uint16_t)flow->taken);
	uint16_t room;

	if (back > 0) {
		look_at_taken(flow, used);
		flow->taken += back;
	}
	room = (uint16_t)(flow->tx->num - (unsigned)(flow->sent - flow->taken));
	if (!sending || room < BURST)
		return;
	for (uint16_t i = 0; i < room; i++) {
		uint16_t slot = (uint16_t)(flow->tx_available + i) & flow->tx_mask;
		uint64_t number = flow->sent + i;

		memcpy(flow->tx_frames + (size_t)slot * flow->tx_stride + STAMP_OFFSET, &number,
			sizeof(number));
	}
	flow->sent += room;
	flow->tx_available = (uint16_t)(flow->tx_available + room);
	__atomic_store_n(&flow->tx->avail->idx, flow->tx_available, __ATOMIC_RELEASE);
	notify(flow->tx, flow->tx_ring);
}

/* The last frame of a burst tells of all before it. */
static inline void look_at_received(struct tp_flow *flow, uint16_t used)
{
	uint16_t last = (uint16_t)(used - 1) & flow->rx_mask;
	const uint8_t *frame = flow->rx_frames + (size_t)last * flow->rx_stride;
	uint64_t expected = flow->received - 1 + flow->missing;
	uint64_t number;

	flow->unordered_buffers += flow->rx->used->ring[last].id != last;
	memcpy(&number, frame + STAMP_OFFSET, sizeof(number));
	if (number < expected)
		flow->out_of_order++;
	else
		flow->missing += number - expected;
}

static inline void receive(struct tp_flow *flow)
{
	uint16_t used = __atomic_load_n(&flow->rx->used->idx, __ATOMIC_ACQUIRE);
	uint16_t count = (uint16_t)(used - flow->rx_used);

	if (count == 0)
		return;
	flow->received += count;
	look_at_received(flow, used);
	flow->rx_used = used;
	/* The buffers used are the next to be made available: both run in ring order. */
	__atomic_store_n(&flow->rx->avail->idx, (uint16_t)(used + flow->rx->num), __ATOMIC_RELEASE);
	notify(flow->rx, flow->rx_ring);
}

static int watch(const struct tp_traffic *traffic, struct tp_error *error)
{
	for (unsigned i = 0; i < traffic->flow_count; i++) {
		const struct tp_flow *flow = &traffic->flows[i];

		if (flow->from->socket >= 0 && tp_frontend_hung_up(flow->from))
			return tp_error_set(error, ECONNRESET, "%s: the back-end hung up",
				flow->from->settings.path);
		if (flow->unordered_buffers > 0)
			return tp_error_set(error, EPROTO,
				"guest %u: buffers came back in another order than given", i);
		/* Its wish may have changed after we last looked: say again what is there. */
		if (flow->sent != flow->taken)
			notify(flow->tx, flow->tx_ring);
	}
	return 0;
}

static uint64_t received_in_all(const struct tp_traffic *traffic)
{
	uint64_t frames = 0;

	for (unsigned i = 0; i < traffic->flow_count; i++)
		frames += traffic->flows[i].received;
	return frames;
}

static void do_rounds(struct tp_traffic *traffic, bool sending)
{
	for (unsigned round = 0; round < CLOCK_ROUNDS; round++) {
		for (unsigned i = 0; i < traffic->flow_count; i++) {
			transmit(&traffic->flows[i], sending);
			receive(&traffic->flows[i]);
		}
	}
}

/* Drive the rings for a time. @return nanoseconds that it took, or negative errno. */
static int64_t drive(struct tp_traffic *traffic, double seconds, struct tp_error *error)
{
	uint64_t start = tp_now_ns();
	uint64_t end = start + (uint64_t)(seconds * 1e9);
	uint64_t next_watch = start + WATCH_NS;
	uint64_t now = start;

	while (now < end) {
		do_rounds(traffic, true);
		now = tp_now_ns();
		if (now >= next_watch) {
			int status = watch(traffic, error);

			if (status < 0)
				return status;
			next_watch = now + WATCH_NS;
		}
	}
	return (int64_t)(now - start);
}

static bool all_taken(const struct tp_traffic *traffic)
{
	for (unsigned i = 0; i < traffic->flow_count; i++) {
		if (traffic->flows[i].sent != traffic->flows[i].taken)
			return false;
	}
	return true;
}

/* Until every ring is empty and nothing has come for a while, or the patience ends. */
static int drain(struct tp_traffic *traffic, struct tp_error *error)
{
	uint64_t start = tp_now_ns();
	uint64_t last_news = start;
	uint64_t frames = received_in_all(traffic);

	for (uint64_t now = start; now < start + DRAIN_MAX_NS; now = tp_now_ns()) {
		do_rounds(traffic, false);
		if (received_in_all(traffic) != frames || !all_taken(traffic))
			last_news = now;
		else if (now - last_news > DRAIN_QUIET_NS)
			break;
		frames = received_in_all(traffic);
	}
	return watch(traffic, error);
}

static double fairness(const struct tp_traffic *traffic)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < traffic->flow_count; i++) {
		const struct tp_flow *flow = &traffic->flows[i];
		double frames = (double)(flow->received - flow->measured_from);

		sum += frames;
		squares += frames * frames;
	}
	return squares > 0 ? sum * sum / (traffic->flow_count * squares) : 0;
}

/* Less of it than time passed means that somebody else had our CPU. */
static double own_cpu_seconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void collect(const struct tp_traffic *traffic, struct tp_traffic_result *result, int sign)
{
	for (unsigned i = 0; i < traffic->flow_count; i++) {
		const struct tp_flow *flow = &traffic->flows[i];

		result->frames_sent += (uint64_t)sign * flow->sent;
		result->frames_received += (uint64_t)sign * flow->received;
		result->out_of_order += (uint64_t)sign * flow->out_of_order;
		if (sign > 0)
			result->frames_in_ring += flow->sent - flow->taken;
	}
}

int tp_traffic_run(struct tp_traffic *traffic, uint32_t frame_size, double warm_up_s,
	double seconds, struct tp_traffic_result *result, struct tp_error *error)
{
	int64_t elapsed;

	if (frame_size < HEADERS + sizeof(uint64_t) ||
		frame_size > traffic->guests[0]->settings.buffer_size)
		return tp_error_set(error, EINVAL, "frames of %u bytes: %zu to %u are possible",
			frame_size, HEADERS + sizeof(uint64_t),
			traffic->guests[0]->settings.buffer_size);
	if (frame_size != traffic->frame_size && !all_taken(traffic))
		return tp_error_set(error, EBUSY, "frames of %u bytes are still in the rings",
			traffic->frame_size);
	if (frame_size != traffic->frame_size)
		set_frame_size(traffic, traffic->mac, frame_size);
	*result = (struct tp_traffic_result){0};
	collect(traffic, result, -1);
	elapsed = drive(traffic, warm_up_s, error);
	if (elapsed < 0)
		return (int)elapsed;
	for (unsigned i = 0; i < traffic->flow_count; i++)
		traffic->flows[i].measured_from = traffic->flows[i].received;
	result->frames_measured = -received_in_all(traffic);
	result->cpu = -own_cpu_seconds();
	elapsed = drive(traffic, seconds, error);
	result->cpu += own_cpu_seconds();
	if (elapsed < 0)
		return (int)elapsed;
	result->frames_measured += received_in_all(traffic);
	result->seconds = (double)elapsed / 1e9;
	result->cpu /= result->seconds;
	result->fairness = fairness(traffic);
	elapsed = drain(traffic, error);
	collect(traffic, result, 1);
	return (int)elapsed;
}
