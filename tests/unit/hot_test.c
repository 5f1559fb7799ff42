/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "burst.h"
#include "switch_scene.h"

/* The hot-context cache: who is polled, who waits for a kick, who goes first. */

static struct scene scene;
static uint8_t received[65536];

static uint64_t cached(const char *what)
{
	uint64_t sum = 0;

	for (unsigned c = 0; c < TP_CLASSES_MAX; c++) {
		const struct tp_cache_counters *cache = &scene.dataplane->worker[0]->cache[c];
#define X(name, help)                                                                              \
	if (strcmp(what, #name) == 0)                                                              \
		sum += cache->name;
		TP_CACHE_COUNTERS(X)
#undef X
	}
	return sum;
}

/* Sweep until everything is cold that can be. */
static void rest(void)
{
	for (unsigned i = 0; i < 8; i++)
		scene_sweep(&scene);
}

static void begin(const struct scene_options *options)
{
	scene_begin(&scene, options);
	rest();
}

/* Residence of guests, by the first letter of its name. */
static void expect_residence(const char *letters)
{
	char found[SCENE_GUESTS + 1] = "";

	for (unsigned i = 0; i < scene.guests; i++)
		found[i] = tp_residence_name(scene_residence(&scene.guest[i]))[0];
	assert_string_equal(found, letters);
}

static void test_transitions(void **state)
{
	static const struct {
		enum tp_residence from;
		enum tp_residence to;
	} legal[] = {
		{TP_RESIDENCE_COLD, TP_RESIDENCE_HOT},
		{TP_RESIDENCE_COLD, TP_RESIDENCE_PINNED},
		{TP_RESIDENCE_HOT, TP_RESIDENCE_DRAINING},
		{TP_RESIDENCE_HOT, TP_RESIDENCE_COLD},
		{TP_RESIDENCE_HOT, TP_RESIDENCE_WAITING},
		{TP_RESIDENCE_DRAINING, TP_RESIDENCE_HOT},
		{TP_RESIDENCE_DRAINING, TP_RESIDENCE_COLD},
		{TP_RESIDENCE_DRAINING, TP_RESIDENCE_WAITING},
		{TP_RESIDENCE_WAITING, TP_RESIDENCE_HOT},
		{TP_RESIDENCE_WAITING, TP_RESIDENCE_COLD},
		{TP_RESIDENCE_PINNED, TP_RESIDENCE_COLD},
	};
	unsigned count = 0;

	(void)state;
	for (unsigned from = 0; from <= TP_RESIDENCE_COUNT; from++)
		for (unsigned to = 0; to <= TP_RESIDENCE_COUNT; to++)
			count += tp_residence_legal(from, to);
	assert_int_equal(count, sizeof(legal) / sizeof(legal[0]));
	for (unsigned i = 0; i < count; i++)
		assert_true(tp_residence_legal(legal[i].from, legal[i].to));
}

static void test_idle_goes_cold_and_a_kick_wakes(void **state)
{
	const struct scene_options options = {.guests = 3, .stay_hot_ns = 1};

	(void)state;
	begin(&options);
	expect_residence("ccc");
	assert_int_equal(scene.guest[0].tx.used->flags, 0);
	assert_true(tp_hot_all_cold(scene.worker));
	for (unsigned n = 0; n < 1000; n++) {
		assert_true(guest_kick_wanted(&scene.guest[0].tx));
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
		assert_int_equal(scene_sweep(&scene), 1); /* in the very next sweep */
		expect_residence("hcc");
		assert_int_equal(scene.guest[0].tx.used->flags, VRING_USED_F_NO_NOTIFY);
		assert_int_equal(scene_receive(&scene.guest[1], received), 60);
		assert_int_equal(scene_number(received), n);
		rest();
		expect_residence("ccc");
	}
	assert_int_equal(cached("misses"), 1000);
	assert_int_equal(cached("loads"), 1003);
	assert_int_equal(cached("write_backs"), 1003);
	assert_int_equal(cached("hits"), 1000);
	assert_int_equal(cached("evictions"), 0);
	scene_check_sums(&scene);
	scene_end(&scene);
}

/* By index as by flag: one kick wakes, and none comes while hot. */
static void test_event_index(void **state)
{
	const struct scene_options options = {
		.guests = 2, .stay_hot_ns = 1, .features = TP_FEATURE(VIRTIO_RING_F_EVENT_IDX)};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 200; n++) {
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
		assert_true(guest_kick_wanted(&scene.guest[0].tx));
		assert_int_equal(scene_sweep(&scene), 1);
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
		assert_false(guest_kick_wanted(&scene.guest[0].tx));
		assert_int_equal(scene_sweep(&scene), 1);
		while (scene_receive(&scene.guest[1], received) > 0)
			continue;
		rest();
	}
	assert_int_equal(cached("misses"), 200);
	scene_end(&scene);
}

/* Between the wish for kicks and the last look the guest may have made something available without
 * a kick. Here it does so every time: nobody arms, so the ring never goes cold. */
static void test_unarmed_ring_stays_polled(void **state)
{
	const struct scene_options options = {.guests = 2, .stay_hot_ns = 1};

	(void)state;
	begin(&options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 1, 60);
	for (unsigned n = 0; n < 10; n++)
		tp_worker_sweep(scene.worker);
	expect_residence("dc");
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 2, 60);
	assert_int_equal(tp_worker_sweep(scene.worker), 1);
	rest();
	expect_residence("cc");
	scene_end(&scene);
}

static void test_held_frames_keep_a_ring_hot(void **state)
{
	const struct scene_options options = {.guests = 2, .stay_hot_ns = 1, .receive_buffers = 1};

	(void)state;
	begin(&options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 1, 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 2, 60);
	rest();
	expect_residence("hc");
	assert_int_equal(scene_receive(&scene.guest[1], received), 60);
	assert_int_equal(scene_sweep(&scene), 1);
	rest();
	expect_residence("cc");
	scene_end(&scene);
}

/* More rings are busy than there are entries: they take turns, nothing is lost or reordered. */
static void test_fewer_entries_than_busy_rings(void **state)
{
	uint64_t sent[SCENE_GUESTS] = {0};
	uint64_t arrived[SCENE_GUESTS] = {0};

	(void)state;
	for (uint32_t entries = 1; entries <= 3; entries++) {
		const struct scene_options options = {.guests = 8, .hot_contexts = entries};

		memset(sent, 0, sizeof(sent));
		memset(arrived, 0, sizeof(arrived));
		begin(&options);
		for (unsigned round = 0; round < 2000; round++) {
			for (unsigned g = 0; g < 8; g++)
				sent[g] += scene_send_number(
					&scene.guest[g], scene.guest[(g + 1) % 8].mac, sent[g], 60);
			scene_sweep(&scene);
			assert_true(scene.worker->hot.table.count <= entries);
			for (unsigned g = 0; g < 8; g++)
				while (scene_receive(&scene.guest[(g + 1) % 8], received) > 0)
					assert_int_equal(scene_number(received), arrived[g]++);
		}
		for (unsigned i = 0; i < 200; i++) {
			scene_sweep(&scene);
			for (unsigned g = 0; g < 8; g++)
				while (scene_receive(&scene.guest[(g + 1) % 8], received) > 0)
					assert_int_equal(scene_number(received), arrived[g]++);
		}
		assert_memory_equal(sent, arrived, sizeof(sent));
		for (unsigned g = 0; g < 8; g++) /* all had their turn, and about as often */
			assert_in_range(sent[g], sent[0] * 9 / 10, sent[0] * 11 / 10);
		assert_true(cached("evictions") > 1000);
		scene_check_sums(&scene);
		scene_end(&scene);
	}
}

/* Four rings that bid more and four that bid less for four entries. */
static void test_higher_bids_stay(void **state)
{
	const struct scene_options options = {.guests = 8, .hot_contexts = 5, .dear = 4};
	const struct tp_cache_counters *cache;

	(void)state;
	begin(&options);
	cache = scene.dataplane->worker[0]->cache;
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned g = 0; g < 8; g++)
			scene_send_number(&scene.guest[g], scene.guest[(g + 1) % 8].mac, round, 60);
		scene_sweep(&scene);
		for (unsigned g = 0; g < 8; g++)
			while (scene_receive(&scene.guest[g], received) > 0)
				continue;
	}
	assert_true(cache[SCENE_PLAIN].evictions > 1000);
	assert_true(cache[SCENE_DEAR].evictions < cache[SCENE_PLAIN].evictions / 20);
	scene_end(&scene);
}

static void test_pinned_never_leaves(void **state)
{
	const struct scene_options options = {
		.guests = 8, .hot_contexts = 3, .pinned = 2, .stay_hot_ns = 1};

	(void)state;
	begin(&options);
	expect_residence("ppcccccc");
	assert_false(tp_hot_all_cold(scene.worker));
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned g = 2; g < 8; g++)
			scene_send_number(&scene.guest[g], scene.guest[0].mac, round, 60);
		scene_sweep(&scene);
		assert_int_equal(scene_residence(&scene.guest[0]), TP_RESIDENCE_PINNED);
		assert_int_equal(scene_residence(&scene.guest[1]), TP_RESIDENCE_PINNED);
		while (scene_receive(&scene.guest[0], received) > 0)
			continue;
	}
	assert_int_equal(scene.dataplane->worker[0]->cache[SCENE_PINNED].write_backs, 0);
	assert_true(cached("evictions") > 0);
	scene_end(&scene);
}

/* A stopped ring is let go of, in whatever state it is, and serves its next guest. */
static void test_stopped_and_started(void **state)
{
	const struct scene_options options = {
		.guests = 4, .stay_hot_ns = 1000000, .pinned = 1, .hot_contexts = 3};
	unsigned sent = 0;
	unsigned arrived = 0;

	(void)state;
	begin(&options);
	for (unsigned round = 0; round < 500; round++) {
		unsigned guest = (unsigned)rand() % 3;

		sent += scene_send_number(&scene.guest[guest], scene.guest[3].mac, round, 60);
		for (int i = rand() % 4; i > 0; i--)
			scene_sweep(&scene);
		scene_stop(&scene, guest);
		for (int i = rand() % 4; i > 0; i--)
			scene_sweep(&scene);
		scene_start(&scene, guest, &options);
		if (rand() % 2 == 0)
			rest();
		while (scene_receive(&scene.guest[3], received) > 0)
			arrived++;
	}
	rest();
	while (scene_receive(&scene.guest[3], received) > 0)
		arrived++;
	assert_int_equal(sent, arrived);
	scene_check_sums(&scene);
	scene_end(&scene);
}

static void wait_ms(unsigned ms)
{
	const struct timespec time = {.tv_nsec = ms * 1000000L};

	nanosleep(&time, NULL);
}

/* Guests that never kick are found, and served within milliseconds from then on. */
static void test_guests_that_never_kick(void **state)
{
	const struct scene_options options = {.guests = 3, .stay_hot_ns = 1, .silent = true};
	unsigned sweeps;

	(void)state;
	begin(&options);
	expect_residence("ccc");
	for (unsigned n = 0; n < 6; n++) {
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
		for (sweeps = 0; sweeps < 5000 && scene_receive(&scene.guest[1], received) == 0;
			sweeps++) {
			wait_ms(1);
			scene_sweep(&scene);
		}
		assert_int_equal(scene_number(received), n);
		rest();
	}
	assert_true(atomic_load(&scene.guest[0].context->pair[0].silent));
	assert_false(atomic_load(&scene.guest[2].context->pair[0].silent));
	assert_in_range(sweeps, 0, 100);
	scene_end(&scene);
}

/* A guest that kicks and kicks is heard once for each arming, and nobody else waits for it. */
static void test_a_flood_of_kicks(void **state)
{
	const struct scene_options options = {.guests = 3, .stay_hot_ns = 1};
	uint64_t misses;

	(void)state;
	begin(&options);
	misses = cached("misses");
	for (unsigned n = 0; n < 1000; n++)
		assert_int_equal(eventfd_write(scene.guest[0].kick_fd, 1), 0);
	scene_send_number(&scene.guest[1], scene.guest[2].mac, 7, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(cached("misses"), misses + 2);
	rest();
	expect_residence("ccc");
	/* A full counter does not stop the next kick, as far as the kernel lets the guest write. */
	assert_int_equal(eventfd_write(scene.guest[0].kick_fd, UINT64_MAX - 1), 0);
	rest();
	scene_send_number(&scene.guest[0], scene.guest[2].mac, 8, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	scene_end(&scene);
}

static void test_dense(void **state)
{
	const struct scene_options options = {
		.guests = 8, .hot_contexts = 1, .stay_hot_ns = 1, .dense = true};

	(void)state;
	begin(&options);
	expect_residence("hhhhhhhh");
	for (unsigned g = 0; g < 8; g++) {
		assert_false(guest_kick_wanted(&scene.guest[g].tx));
		scene_send_number(&scene.guest[g], scene.guest[(g + 1) % 8].mac, g, 60);
	}
	assert_int_equal(scene_sweep(&scene), 8);
	scene_stop(&scene, 3);
	scene_sweep(&scene);
	expect_residence("hhhchhhh");
	scene_start(&scene, 3, &options);
	scene_sweep(&scene);
	expect_residence("hhhhhhhh");
	assert_int_equal(cached("evictions"), 0);
	assert_int_equal(cached("write_backs"), 0);
	scene_end(&scene);
}

static void *run_worker(void *argument)
{
	tp_worker_run(argument);
	return NULL;
}

static uint64_t cpu_ns(pthread_t thread)
{
	struct timespec time;
	clockid_t clock;

	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* A worker of its own, which goes to sleep again and again; this thread is its guests and control.
 */
static void test_sleeping_worker_wakes(void **state)
{
	const struct scene_options options = {.guests = 4, .stay_hot_ns = 1000};
	pthread_t worker;
	uint64_t before;

	(void)state;
	scene_begin(&scene, &options);
	assert_int_equal(pthread_create(&worker, NULL, run_worker, scene.worker), 0);
	for (unsigned n = 0; n < 2000; n++) {
		struct scene_guest *from = &scene.guest[rand() % 3];
		unsigned tries = 0;

		scene_send_number(from, scene.guest[3].mac, n, 60);
		while (scene_receive(&scene.guest[3], received) == 0) {
			assert_true(tries++ < 10000000);
			sched_yield();
		}
		assert_int_equal(scene_number(received), n);
		for (int i = rand() % 3; i > 0; i--) {
			scene_arm(&scene);
			if (rand() % 8 == 0)
				wait_ms(1);
		}
	}
	for (unsigned i = 0; i < 10; i++) {
		wait_ms(20);
		scene_arm(&scene);
	}
	assert_true(tp_counter_read(&scene.dataplane->worker[0]->sleeps) > 10);
	before = cpu_ns(worker);
	wait_ms(500);
	assert_true(cpu_ns(worker) - before < 50000000);
	/* A stop wakes it, and so does a ring that starts. */
	tp_dataplane_stop(scene.dataplane);
	pthread_join(worker, NULL);
	scene_check_sums(&scene);
	scene_end(&scene);
}

/* Rings stop and start under a running worker, which sleeps between. */
static void test_storm_of_starts(void **state)
{
	const struct scene_options options = {.guests = 4, .stay_hot_ns = 1000, .hot_contexts = 2};
	pthread_t worker;
	unsigned sent = 0;
	unsigned arrived = 0;

	(void)state;
	scene_begin(&scene, &options);
	assert_int_equal(pthread_create(&worker, NULL, run_worker, scene.worker), 0);
	for (unsigned n = 0; n < 3000; n++) {
		unsigned guest = (unsigned)rand() % 3;

		scene_stop(&scene, guest);
		sent += scene_send_number(&scene.guest[guest], scene.guest[3].mac, n, 60);
		scene_start(&scene, guest, &options);
		scene_arm(&scene);
		while (scene_receive(&scene.guest[3], received) > 0)
			arrived++;
	}
	for (unsigned i = 0; i < 2000 && arrived < sent; i++) {
		wait_ms(1);
		scene_arm(&scene);
		while (scene_receive(&scene.guest[3], received) > 0)
			arrived++;
	}
	tp_dataplane_stop(scene.dataplane);
	pthread_join(worker, NULL);
	assert_int_equal(sent, arrived);
	scene_check_sums(&scene);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_idle_goes_cold_and_a_kick_wakes),
		cmocka_unit_test(test_event_index),
		cmocka_unit_test(test_unarmed_ring_stays_polled),
		cmocka_unit_test(test_held_frames_keep_a_ring_hot),
		cmocka_unit_test(test_fewer_entries_than_busy_rings),
		cmocka_unit_test(test_higher_bids_stay),
		cmocka_unit_test(test_pinned_never_leaves),
		cmocka_unit_test(test_stopped_and_started),
		cmocka_unit_test(test_guests_that_never_kick),
		cmocka_unit_test(test_a_flood_of_kicks),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_sleeping_worker_wakes),
		cmocka_unit_test(test_storm_of_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
