/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_memory.h>
#include <rte_ring.h>

#include "scene_wire.h"
#include "switch_scene.h"

/*
 * Two workers in threads of their own and one uplink, which one of them owns: each sends there, and
 * writes to every guest. Control publishes snapshots and moves rings from one worker to the other
 * meanwhile; this thread plays the guests, who sleep and wake the workers, and the wire. For
 * ThreadSanitizer as well.
 *
 * Guests 0 and 1 are a tenant without tags, 2 and 3 one that has VLAN 100 under one snapshot and
 * VLAN 200 under the next.
 */

#define GUESTS  4
#define WIRE    GUESTS /* a sender, and where guests send to */
#define PEER    100    /* number of the wire's MAC */
#define ENTRIES 64     /* of the uplink's work queue */
#define ROOM    40     /* frames on their way to one guest at most: its ring is never full */
#define CHANGES 150
#define FRAMES  20000
#define SECONDS 60 /* at most */

static struct scene scene;
static struct wire wire;
static struct scene_options options[2];
static uint8_t frame[65536];

static atomic_bool done;
static atomic_uint changes;
static bool uplink_leaves;

/* Frames from one to another: the number of the next one that is sent, and of one to come. */
static uint32_t sent[GUESTS + 1][GUESTS + 1];
static uint32_t awaited[GUESTS + 1][GUESTS + 1];
static uint64_t arrived[GUESTS + 1];

/* --- threads --- */

static void *work(void *worker)
{
	tp_worker_run(worker);
	return NULL;
}

/* As control does with one whose device went away, and came back. */
static void take_uplink_away(void)
{
	atomic_store_explicit(&wire.uplink->running, 0, memory_order_release);
	tp_dataplane_quiesce(scene.dataplane);
	tp_uplink_discard(wire.uplink);
	usleep(500);
	atomic_store_explicit(&wire.uplink->running, 1, memory_order_release);
}

static void *control(void *unused)
{
	(void)unused;
	for (unsigned n = 0; !atomic_load(&done); n++) {
		unsigned guest = n % GUESTS;

		scene_arm(&scene);
		tp_dataplane_publish_snapshot(
			scene.dataplane, scene_snapshot(&scene, &options[n % 2]));
		scene_move(
			&scene, guest, 1 - scene.guest[guest].context->pair[0].worker, &options[0]);
		if (uplink_leaves && n % 4 == 0)
			take_uplink_away();
		usleep(n % 3 == 0 ? 3000 : 100);
		atomic_fetch_add(&changes, 1);
	}
	return NULL;
}

/* --- frames --- */

static bool same_tenant(unsigned a, unsigned b)
{
	return a == WIRE || b == WIRE || a / 2 == b / 2;
}

static uint32_t on_their_way(unsigned to)
{
	uint32_t frames = 0;

	for (unsigned from = 0; from <= WIRE; from++)
		frames += sent[from][to] - awaited[from][to];
	return frames;
}

static uint64_t next_number(unsigned from, unsigned to)
{
	return (uint64_t)from << 48 | (uint64_t)to << 40 | sent[from][to];
}

static void send_from_guest(unsigned from, unsigned to)
{
	uint64_t mac = scene_mac(to == WIRE ? PEER : to);

	if (scene_send_number(&scene.guest[from], mac, next_number(from, to), 64))
		sent[from][to]++;
}

/* A tag that is its tenant's under every other snapshot. */
static void send_from_wire(unsigned to)
{
	uint16_t vlan = sent[WIRE][to] % 2 == 0 ? 100 : 200;
	const uint8_t tag[4] = {0x81, 0, 0, (uint8_t)vlan};
	uint64_t number = next_number(WIRE, to);
	bool tagged = to >= 2;

	if (rte_ring_free_count(wire.to_switch) == 0)
		return;
	memset(frame, 0, 68);
	scene_header(frame, scene_mac(to), scene_mac(PEER));
	if (tagged) {
		memmove(frame + 16, frame + 12, 2);
		memcpy(frame + 12, tag, sizeof(tag));
	}
	memcpy(frame + (tagged ? 18 : 14), &number, sizeof(number));
	wire_put(&wire, frame, 68, 0);
	sent[WIRE][to]++;
}

static void send_all(void)
{
	for (unsigned from = 0; from <= WIRE; from++) {
		for (unsigned to = 0; to <= WIRE; to++) {
			if (from == to || !same_tenant(from, to) ||
				(to != WIRE && on_their_way(to) >= ROOM))
				continue;
			if (from == WIRE)
				send_from_wire(to);
			else
				send_from_guest(from, to);
		}
	}
}

/* In order, and each, unless it may have been dropped by name. */
static void check_arrival(unsigned at, const uint8_t *number_at, bool may_miss)
{
	unsigned from, to;
	uint64_t number;

	memcpy(&number, number_at, sizeof(number));
	from = (unsigned)(number >> 48);
	to = (unsigned)(number >> 40 & 0xff);
	assert_int_equal(to, at);
	assert_true(from <= WIRE && from != at && same_tenant(from, at));
	if (may_miss || from == WIRE)
		assert_true((uint32_t)number >= awaited[from][to]);
	else
		assert_int_equal((uint32_t)number, awaited[from][to]);
	awaited[from][to] = (uint32_t)number + 1;
	arrived[at]++;
}

static void receive_all(void)
{
	for (unsigned g = 0; g < GUESTS; g++)
		while (scene_receive(&scene.guest[g], frame) > 0)
			check_arrival(g, frame + 14, false);
	while (wire_take(&wire, frame) > 0) {
		bool tagged = frame[12] == 0x81;

		assert_true(tagged == (tp_mac_load(frame + 6) == scene.guest[2].mac ||
					      tp_mac_load(frame + 6) == scene.guest[3].mac));
		assert_true(!tagged || frame[15] == 100 || frame[15] == 200);
		check_arrival(WIRE, frame + (tagged ? 18 : 14), uplink_leaves);
	}
}

/* --- the account --- */

static uint64_t drops_of(unsigned guest)
{
	uint64_t drops = 0;

	for (unsigned d = 1; d < TP_DROP_COUNT; d++)
		drops += scene_drops(&scene.guest[guest], d);
	return drops;
}

/* Behind acceptance. What the device's leaving catches half-way is lost as if the link were down.
 */
static uint64_t lost_beyond(void)
{
	const struct tp_uplink_sent *sent_on = &wire.uplink->queue[0]->sent;

	return tp_counter_read(&sent_on->lost_device_gone) +
	       tp_counter_read(&sent_on->lost_link_down);
}

static bool all_has_left(void)
{
	const struct tp_uplink_queue *queue = wire.uplink->queue[0];

	return tp_counter_read(&queue->sent.sent) + lost_beyond() == tp_uplink_accepted(queue);
}

static bool all_completed(void)
{
	uint64_t from_wire = 0;

	for (unsigned g = 0; g < GUESTS; g++) {
		const struct guest_ring *ring = &scene.guest[g].tx;

		from_wire += sent[WIRE][g];
		if (ring->avail->idx != __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE))
			return false;
	}
	return wire_counter(&wire, TP_COUNTER_TX_FRAMES) == from_wire && all_has_left();
}

/* Nothing changes any more: all of it has to arrive. */
static void let_all_arrive(void)
{
	for (unsigned n = 0; n < SECONDS * 10000 && !all_completed(); n++) {
		scene_arm(&scene);
		receive_all();
		usleep(100);
	}
	assert_true(all_completed());
	receive_all();
}

static void check_sums(void)
{
	uint64_t lost = lost_beyond();

	for (unsigned g = 0; g < GUESTS; g++) {
		const struct scene_guest *guest = &scene.guest[g];

		assert_int_equal(scene_counter(guest, TP_COUNTER_TX_FRAMES),
			scene_counter(guest, TP_COUNTER_DELIVERED) + drops_of(g));
		assert_int_equal(scene_counter(guest, TP_COUNTER_RX_FRAMES), arrived[g]);
		assert_int_equal(drops_of(g), scene_drops(guest, TP_DROP_UPLINK_DOWN));
		lost += drops_of(g);
	}
	assert_int_equal(wire.uplink->queue[0]->sent.sent, arrived[WIRE]);
	assert_true((lost > 0) == uplink_leaves);
	wire_check_sums(&wire);
}

/* --- the tests --- */

static void begin(void)
{
	const struct tp_network networks[2] = {
		tp_network_tagged(0, 100), tp_network_tagged(0, 200)};

	scene_start_eal();
	memset(sent, 0, sizeof(sent));
	memset(awaited, 0, sizeof(awaited));
	memset(arrived, 0, sizeof(arrived));
	atomic_store(&done, false);
	atomic_store(&changes, 0);
	wire_open(&wire, ENTRIES, SCENE_WORKERS);
	for (unsigned i = 0; i < 2; i++)
		options[i] = (struct scene_options){
			.workers = SCENE_WORKERS,
			.guests = GUESTS,
			.tenants = 2,
			.stay_hot_ns = 1000,
			.hot_contexts = 2,
			.uplink = wire.uplink,
			.network = {{.wire = TP_WIRE_UNTAGGED}, networks[i]},
		};
	scene_begin(&scene, &options[0]);
}

static void run_threads(void)
{
	time_t end = time(NULL) + SECONDS;
	pthread_t workers[SCENE_WORKERS];
	pthread_t controller;

	for (unsigned w = 0; w < SCENE_WORKERS; w++)
		assert_int_equal(pthread_create(&workers[w], NULL, work, scene.workers[w]), 0);
	assert_int_equal(pthread_create(&controller, NULL, control, NULL), 0);
	for (uint64_t n = 0; time(NULL) < end; n++) {
		send_all();
		receive_all();
		if (n % 50 == 0)
			usleep(200); /* they go to sleep */
		if (atomic_load(&changes) >= CHANGES && arrived[WIRE] >= FRAMES)
			break;
	}
	atomic_store(&done, true);
	pthread_join(controller, NULL);
	let_all_arrive();
	tp_dataplane_stop(scene.dataplane);
	for (unsigned w = 0; w < SCENE_WORKERS; w++)
		pthread_join(workers[w], NULL);
	print_message("%u changes, arrived: %lu %lu %lu %lu, wire %lu\n", atomic_load(&changes),
		(unsigned long)arrived[0], (unsigned long)arrived[1], (unsigned long)arrived[2],
		(unsigned long)arrived[3], (unsigned long)arrived[WIRE]);
}

static void run(void)
{
	begin();
	run_threads();
	check_sums();
	for (unsigned i = 0; i <= WIRE; i++)
		assert_true(arrived[i] > 100);
	scene_end(&scene);
	wire_close(&wire);
}

static void test_rings_move_and_snapshots_change(void **state)
{
	(void)state;
	uplink_leaves = false;
	run();
}

static void test_the_uplink_leaves_and_comes_back(void **state)
{
	(void)state;
	uplink_leaves = true;
	run();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rings_move_and_snapshots_change),
		cmocka_unit_test(test_the_uplink_leaves_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
