/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>
#include <rte_ring_elem.h>

#include "burst.h"
#include "switch_scene.h"

#ifndef SCENE_EVICT
#define SCENE_EVICT 0
#endif

void scene_start_eal(void)
{
	char *arguments[] = {"unit", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf",
		"-m96", "-l0", "--log-level=*:error", NULL};
	static bool started;
	cpu_set_t cpus;

	if (started)
		return;
	/* The EAL pins this thread, and with it those that it starts: let them all run anywhere. */
	sched_getaffinity(0, sizeof(cpus), &cpus);
	assert_true(rte_eal_init(8, arguments) >= 0);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	started = true;
}

uint64_t scene_mac(unsigned n)
{
	const uint8_t mac[8] = {2, 0, 0, 0, 0, (uint8_t)(n + 1)};

	return tp_mac_load(mac);
}

static unsigned tenant_of(const struct scene *scene, unsigned guest)
{
	return guest / (scene->guests / scene->tenants);
}

static uint64_t mac_of(
	const struct scene *scene, const struct scene_options *options, unsigned guest)
{
	return scene_mac(options->same_macs ? guest % (scene->guests / scene->tenants) : guest);
}

static uint16_t class_of(
	const struct scene *scene, const struct scene_options *options, unsigned guest)
{
	if (options->weight[guest] > 0)
		return (uint16_t)(SCENE_OWN + guest);
	if (guest < options->pinned)
		return SCENE_PINNED;
	return guest >= scene->guests - options->dear ? SCENE_DEAR : SCENE_PLAIN;
}

struct tp_snapshot *scene_snapshot(struct scene *scene, const struct scene_options *options)
{
	struct tp_snapshot *snapshot =
		tp_snapshot_new(SCENE_CLASSES, scene->tenants, scene->guests, SOCKET_ID_ANY, NULL);
	uint64_t hold_ns = options->hold_ns == 0 ? 10000000000 : options->hold_ns;
	unsigned each = scene->guests / scene->tenants;

	assert_non_null(snapshot);
	if (options->uplink != NULL) {
		assert_int_equal(tp_snapshot_add_uplinks(snapshot, 1, SOCKET_ID_ANY, NULL), 0);
		snapshot->uplinks[0].uplink = options->uplink;
		if (options->underlay.address.length != 0)
			*tp_snapshot_add_underlay(snapshot, 0, SOCKET_ID_ANY, NULL) =
				options->underlay;
		if (options->far_macs[0].key != 0) {
			assert_int_equal(
				tp_snapshot_add_far_macs(snapshot, 2, SOCKET_ID_ANY, NULL), 0);
			memcpy(snapshot->far_macs, options->far_macs, sizeof(options->far_macs));
		}
	}
	snapshot->tariff = options->tariff;
	if (options->tariff.per_frame == 0 && options->tariff.per_64_bytes == 0)
		snapshot->tariff = (struct tp_tariff){.per_frame = 16, .per_64_bytes = 1};
	for (unsigned c = 0; c < SCENE_CLASSES; c++)
		snapshot->classes[c] = (struct tp_class){
			.hold_cycles = (uint64_t)((double)hold_ns * rte_get_tsc_hz() / 1e9),
			.drop_when_full = options->drop_when_full,
			.pinned = c == SCENE_PINNED ||
				  (c >= SCENE_OWN && c - SCENE_OWN < options->pinned),
			.bid = c == SCENE_DEAR ? 64 * 16 : 2 * 16,
			/* Rings are filled to the brim, whatever the bid, unless a test wants
			 * prices. */
			.threshold = tp_price_threshold(
				options->prices ? (c == SCENE_DEAR ? 64 : 2) * TP_PRICE_ONE
						: 1000 * TP_PRICE_ONE),
			.weight = c >= SCENE_OWN ? options->weight[c - SCENE_OWN] : 1,
		};
	snapshot->lowest_class = SCENE_PLAIN;
	for (unsigned t = 0; t < scene->tenants; t++)
		snapshot->tenants[t] = (struct tp_tenant){
			.first_interface = t * each,
			.interface_count = each,
			.flood_unknown = options->flood_unknown,
			.learning = options->learning,
			.network = options->network[t],
		};
	for (unsigned i = 0; i < scene->guests; i++)
		snapshot->interfaces[i] = (struct tp_interface){
			.mac = mac_of(scene, options, i),
			.context = tp_context_at(scene->store, i),
			.tenant = tenant_of(scene, i),
			.source_mac_check = !options->no_source_check,
			.class = class_of(scene, options, i),
			.shape = tp_shape_make(&options->rate[i], rte_get_tsc_hz()),
		};
	assert_int_equal(tp_snapshot_seal(snapshot, SOCKET_ID_ANY, NULL), 0);
	return snapshot;
}

static void start_guest(struct scene_guest *guest, const struct scene_options *options)
{
	struct tp_error error;

	guest_init(&guest->memory, 1u << 20);
	guest_ring_init(&guest->tx, &guest->memory, SCENE_RING, options->features);
	guest_ring_init(&guest->rx, &guest->memory, SCENE_RING, options->features);
	for (uint16_t i = 0; i < SCENE_RING; i++) {
		guest->tx_buffer[i] = guest_place(&guest->memory, SCENE_BUFFER, 64);
		guest->rx_buffer[i] = guest_place(&guest->memory, SCENE_BUFFER, 64);
		guest_describe(
			&guest->rx, i, guest->rx_buffer[i], SCENE_BUFFER, VRING_DESC_F_WRITE, 0);
		if (options->receive_buffers == 0 || i < options->receive_buffers)
			guest_post(&guest->rx, i);
	}
	if (options->workers > 1)
		guest->rx.setup.baton = guest->baton;
	guest->context->spread = options->workers > 1;
	assert_int_equal(tp_vring_start(&guest->context->pair[0].rx, &guest->rx.setup,
				 guest->memory.memory, &error),
		0);
	guest->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	guest->silent = options->silent;
}

static struct tp_ring_id id_of(const struct scene *scene, unsigned guest, enum tp_bell bell)
{
	return (struct tp_ring_id){
		.interface = guest,
		.generation = scene->guest[guest].context->pair[0].generation,
		.bell = (uint8_t)bell,
	};
}

/* What is called off gives its place back when a thread of the kernel gets to it. */
static void until_room(
	struct scene *scene, int (*try)(struct scene *scene, unsigned guest), unsigned guest)
{
	unsigned tries = 0;
	int result;

	while ((result = try(scene, guest)) == -EAGAIN && tries++ < 10000)
		usleep(100);
	assert_int_equal(result, 0);
}

static int try_arm(struct scene *scene, unsigned number)
{
	const struct tp_ring_id id = id_of(scene, number, TP_BELL_KICK);

	struct scene_guest *guest = &scene->guest[number];

	guest->armed_at = guest->context->pair[0].worker;
	return tp_doorbell_arm(&scene->dataplane->worker[guest->armed_at]->doorbell, &guest->arm,
		guest->kick_fd, &id);
}

static int try_attend(struct scene *scene, unsigned number)
{
	const struct tp_ring_id id = id_of(scene, number, TP_BELL_ATTEND);

	return tp_dataplane_attend(scene->dataplane, &id);
}

static void arm(struct scene *scene, unsigned number)
{
	until_room(scene, try_arm, number);
	scene->guest[number].context->pair[0].armed++;
}

static void arm_wanted(struct scene *scene, struct rte_ring *arms)
{
	struct tp_ring_id id;

	while (rte_ring_sc_dequeue_elem(arms, &id, sizeof(id)) == 0) {
		struct tp_ring_pair *ring = &scene->guest[id.interface].context->pair[0];

		if (ring->generation != id.generation)
			continue;
		arm(scene, id.interface);
		atomic_store(&ring->arming, false);
	}
}

void scene_arm(struct scene *scene)
{
	for (unsigned w = 0; w < scene->dataplane->worker_count; w++)
		arm_wanted(scene, scene->dataplane->worker[w]->arms);
}

/* Whatever can be written back is; what has frames, or no armed doorbell, stays. */
static void evict_all(struct scene *scene)
{
	struct tp_hot_table *table = &scene->worker->hot.table;

	for (uint32_t i = 0; i < table->count;)
		if (tp_hot_has_frames(&table->entry[i]) || !tp_hot_cool(scene->worker, i))
			i++;
}

/* Kicks that tests which write rings by hand leave out. */
static void kick_as_wanted(struct scene *scene)
{
	for (unsigned i = 0; i < scene->guests; i++) {
		const struct scene_guest *guest = &scene->guest[i];

		if (guest->tx.avail->idx != guest->tx.used->idx && guest_kick_wanted(&guest->tx))
			eventfd_write(guest->kick_fd, 1);
	}
}

unsigned scene_sweep(struct scene *scene)
{
	unsigned frames;

	scene_arm(scene);
	if (SCENE_EVICT && scene->evicting)
		kick_as_wanted(scene);
	frames = tp_worker_sweep(scene->worker);
	if (SCENE_EVICT && scene->evicting) {
		evict_all(scene); /* asks for doorbells */
		scene_arm(scene);
		evict_all(scene);
	}
	return frames;
}

enum tp_residence scene_residence(const struct scene_guest *guest)
{
	return atomic_load(&guest->context->pair[0].residence);
}

/* As its worker finds a ring that it has not served before. */
static void prepare(struct tp_ring_pair *ring)
{
	ring->generation++;
	ring->unkicked = 0;
	ring->rang = ring->armed;
	ring->queued = ring->listed = ring->blocked = ring->queues = false;
	ring->seen_at = 0;
	ring->deficit = 0;
	atomic_store(&ring->residence, TP_RESIDENCE_COLD);
	atomic_store(&ring->arming, false);
}

static void attend(struct scene *scene, unsigned number, const struct scene_options *options)
{
	if (!options->dense && number >= options->pinned)
		arm(scene, number);
	until_room(scene, try_attend, number);
}

void scene_start(struct scene *scene, unsigned number, const struct scene_options *options)
{
	struct scene_guest *guest = &scene->guest[number];
	struct tp_ring_pair *ring = &guest->context->pair[0];
	struct tp_error error;

	prepare(ring);
	assert_int_equal(
		tp_vring_start(&ring->tx, &guest->tx.setup, guest->memory.memory, &error), 0);
	attend(scene, number, options);
}

static void disarm(struct scene *scene, struct scene_guest *guest)
{
	if (tp_ring_armed(&guest->context->pair[0]))
		tp_doorbell_disarm(
			&scene->dataplane->worker[guest->armed_at]->doorbell, &guest->arm);
}

void scene_move(
	struct scene *scene, unsigned number, unsigned worker, const struct scene_options *options)
{
	struct tp_ring_pair *ring = &scene->guest[number].context->pair[0];
	unsigned from = ring->worker;

	atomic_store_explicit(&ring->worker, TP_NO_WORKER, memory_order_relaxed);
	tp_dataplane_leave(scene->dataplane, from);
	disarm(scene, &scene->guest[number]);
	prepare(ring);
	/* release: partner is the acquire load of a worker that looks whether it is its own */
	atomic_store_explicit(&ring->worker, (uint16_t)worker, memory_order_release);
	attend(scene, number, options);
}

void scene_stop(struct scene *scene, unsigned number)
{
	struct scene_guest *guest = &scene->guest[number];

	tp_vring_retire(&guest->context->pair[0].tx);
	tp_dataplane_leave(scene->dataplane, guest->context->pair[0].worker);
	disarm(scene, guest);
	tp_vring_stop(&guest->context->pair[0].tx);
	atomic_store(&guest->context->pair[0].residence, TP_RESIDENCE_COLD);
}

void scene_announce(struct scene *scene, unsigned guest, uint64_t mac)
{
	atomic_store(&scene->guest[guest].context->announce, mac);
	until_room(scene, try_attend, guest);
}

void scene_begin(struct scene *scene, const struct scene_options *options)
{
	struct tp_dataplane_settings settings;
	uint16_t pairs[SCENE_GUESTS];
	struct tp_error error;

	scene_start_eal();
	*scene = (struct scene){.guests = options->guests};
	scene->tenants = options->tenants == 0 ? 1 : options->tenants;
	for (unsigned i = 0; i < scene->guests; i++)
		pairs[i] = 1;
	scene->store = tp_context_store_new(pairs, scene->guests, NULL);
	scene->evicting = !options->silent && !options->dense;
	settings = (struct tp_dataplane_settings){
		.workers = options->workers == 0 ? 1 : options->workers,
		.learned_macs = options->learning ? 64 : 0,
		.rings = scene->guests,
		.tenants = scene->tenants,
		.hot_contexts = options->hot_contexts == 0 ? scene->guests : options->hot_contexts,
		.stay_hot_ns = options->stay_hot_ns == 0 ? 10000000000 : options->stay_hot_ns,
		.hot_cache = !options->dense,
		.sweep_budget_ns = options->sweep_budget_ns > 0 ? options->sweep_budget_ns
								: UINT64_C(10000000000),
		.idle_sleep = true,
		.uplink_nap_ns = 20000,
		.socket = SOCKET_ID_ANY,
		.underlays = options->underlay.address.length != 0,
	};
	scene->dataplane = tp_dataplane_new(&settings, &error);
	assert_non_null(scene->store);
	assert_non_null(scene->dataplane);
	for (unsigned i = 0; i < scene->guests; i++) {
		scene->guest[i].context = tp_context_at(scene->store, i);
		scene->guest[i].mac = mac_of(scene, options, i);
		scene->guest[i].context->pair[0].worker = (uint16_t)(i % settings.workers);
		start_guest(&scene->guest[i], options);
	}
	tp_dataplane_publish_snapshot(scene->dataplane, scene_snapshot(scene, options));
	for (unsigned i = 0; i < scene->guests; i++)
		scene_start(scene, i, options);
	for (unsigned w = 0; w < settings.workers; w++) {
		scene->workers[w] = tp_worker_new(scene->dataplane, w, options->vector, &error);
		assert_non_null(scene->workers[w]);
	}
	scene->worker = scene->workers[0];
}

void scene_end(struct scene *scene)
{
	for (unsigned i = 0; i < scene->guests; i++) {
		scene_stop(scene, i);
		close(scene->guest[i].kick_fd);
		tp_vring_retire(&scene->guest[i].context->pair[0].rx);
		tp_vring_stop(&scene->guest[i].context->pair[0].rx);
		guest_destroy(&scene->guest[i].memory);
	}
	for (unsigned w = 0; w < scene->dataplane->worker_count; w++)
		tp_worker_free(scene->workers[w]);
	tp_dataplane_free(scene->dataplane);
	tp_context_store_free(scene->store);
}

void scene_header(uint8_t *frame, uint64_t to, uint64_t from)
{
	memcpy(frame, &to, 6);
	memcpy(frame + 6, &from, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5; /* local experimental EtherType */
}

bool scene_send(struct scene_guest *guest, const uint8_t *frame, uint32_t length)
{
	uint16_t in_flight = (uint16_t)(guest->tx.avail->idx -
					__atomic_load_n(&guest->tx.used->idx, __ATOMIC_ACQUIRE));
	uint16_t index = guest->tx_next % SCENE_RING;
	uint8_t *buffer = guest->tx_buffer[index];

	if (in_flight == SCENE_RING)
		return false;
	memset(buffer, 0, TP_NET_HEADER);
	memcpy(buffer + TP_NET_HEADER, frame, length);
	guest_describe(&guest->tx, index, buffer, (uint32_t)TP_NET_HEADER + length, 0, 0);
	guest_post(&guest->tx, index);
	guest->tx_next++;
	if (!guest->silent && guest_kick_wanted(&guest->tx))
		assert_int_equal(eventfd_write(guest->kick_fd, 1), 0);
	return true;
}

bool scene_send_number(struct scene_guest *guest, uint64_t to, uint64_t number, uint32_t length)
{
	uint8_t frame[SCENE_BUFFER] = {0};

	scene_header(frame, to, guest->mac);
	memcpy(frame + 14, &number, sizeof(number));
	return scene_send(guest, frame, length);
}

uint64_t scene_number(const uint8_t *frame)
{
	uint64_t number;

	memcpy(&number, frame + 14, sizeof(number));
	return number;
}

uint32_t scene_receive(struct scene_guest *guest, uint8_t *frame)
{
	struct virtio_net_hdr_v1 header;
	uint32_t length = 0;

	if (guest_returned(&guest->rx) == 0)
		return 0;
	memcpy(&header, guest->rx_buffer[guest->rx.used->ring[guest->rx.used_seen % SCENE_RING].id],
		sizeof(header));
	assert_in_range(header.num_buffers, 1, guest_returned(&guest->rx));
	for (unsigned i = 0; i < header.num_buffers; i++) {
		struct vring_used_elem element = guest_take(&guest->rx);
		uint32_t skip = i == 0 ? TP_NET_HEADER : 0;

		assert_in_range(element.len, skip, guest->rx.desc[element.id].len);
		memcpy(frame + length, guest->rx_buffer[element.id] + skip, element.len - skip);
		length += element.len - skip;
		guest_post(&guest->rx, (uint16_t)element.id);
	}
	return length;
}

uint64_t scene_counter(const struct scene_guest *guest, enum tp_counter counter)
{
	return tp_counter_read(&guest->context->counters.value[counter]);
}

uint64_t scene_drops(const struct scene_guest *guest, enum tp_drop drop)
{
	return tp_counter_read(&guest->context->counters.drop[drop]);
}

uint64_t scene_bill(const struct scene_guest *guest)
{
	return tp_counter_read(&guest->context->counters.bill);
}

uint64_t scene_pinned_polls(const struct scene *scene)
{
	const struct tp_times *gaps = &scene->worker->share->pinned_gap;
	uint64_t polls = 0;

	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		polls += gaps->bucket[i];
	return polls;
}

void scene_keep_trying(struct scene *scene, unsigned pinned, unsigned full, unsigned filler)
{
	for (unsigned n = 0; n < SCENE_RING; n++)
		scene_send_number(&scene->guest[filler], scene->guest[full].mac, n, 60);
	scene_sweep(scene);
	scene_send_number(&scene->guest[pinned], scene->guest[full].mac, 77, 300);
	scene_sweep(scene);
	assert_int_equal(scene_counter(&scene->guest[full], TP_COUNTER_RX_FRAMES), SCENE_RING);
}

void scene_check_sums(const struct scene *scene)
{
	uint64_t received = 0;
	uint64_t sent = 0;

	for (unsigned i = 0; i < scene->guests; i++) {
		const struct scene_guest *guest = &scene->guest[i];
		uint64_t drops = 0;

		for (unsigned d = 1; d < TP_DROP_COUNT; d++)
			drops += scene_drops(guest, d);
		assert_int_equal(scene_counter(guest, TP_COUNTER_TX_FRAMES),
			scene_counter(guest, TP_COUNTER_DELIVERED) + drops);
		assert_int_equal(
			(uint16_t)scene_counter(guest, TP_COUNTER_TX_FRAMES), guest->tx.used->idx);
		received += scene_counter(guest, TP_COUNTER_RX_FRAMES);
		sent += scene_counter(guest, TP_COUNTER_DELIVERED) -
			scene_counter(guest, TP_COUNTER_FLOODED) +
			scene_counter(guest, TP_COUNTER_COPIES);
	}
	assert_int_equal(received, sent);
}
