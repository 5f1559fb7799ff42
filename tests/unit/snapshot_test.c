/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include "switch_scene.h"

/*
 * Snapshots that are replaced while frames flow: each frame is handled under one of them, whole.
 *
 * In the one snapshot the address that guest 0 sends to is guest 1's, and frames cost nothing; in
 * the other it is guest 2's, and frames cost 7 credits. Where a frame goes is looked up early, what
 * it costs is reckoned late: a frame that is half under one and half under the other would be
 * delivered to guest 1 for money, or to guest 2 for nothing.
 */

#define CHANGES_ENOUGH 3000
#define CHANGES_LEAST  50 /* on a machine that does other things, in... */
#define SECONDS_MOST   5
#define FRAMES         4 /* a sweep: few, so that the price is one, or one sixteenth more */
#define COST           7

static struct scene scene;
static uint8_t frame[65536];

static struct tp_snapshot *snapshot_towards(unsigned guest)
{
	const struct scene_options options = {.guests = 3};
	struct tp_snapshot *snapshot = tp_snapshot_new(SCENE_CLASSES, 1, 3, SOCKET_ID_ANY, NULL);
	struct tp_snapshot *like = scene_snapshot(&scene, &options);

	memcpy(snapshot->classes, like->classes, SCENE_CLASSES * sizeof(snapshot->classes[0]));
	memcpy(snapshot->interfaces, like->interfaces, 3 * sizeof(snapshot->interfaces[0]));
	tp_snapshot_free(like);
	snapshot->tariff.per_frame = guest == 1 ? 0 : COST;
	/* The other one is not in this configuration. */
	snapshot->interfaces[3 - guest].context = NULL;
	snapshot->interfaces[guest].mac = scene_mac(1);
	assert_int_equal(tp_snapshot_seal(snapshot, SOCKET_ID_ANY, NULL), 0);
	return snapshot;
}

static atomic_bool enough;

static void *publish(void *unused)
{
	(void)unused;
	for (unsigned n = 0; !atomic_load(&enough); n++)
		tp_dataplane_publish_snapshot(scene.dataplane, snapshot_towards(1 + n % 2));
	return NULL;
}

static unsigned receive(unsigned guest)
{
	unsigned count = 0;

	while (scene_receive(&scene.guest[guest], frame) > 0)
		count++;
	return count;
}

/* @return the guest to which they went. */
static unsigned sweep_and_check(bool to_all)
{
	uint64_t before = scene.guest[0].context->counters.bill;
	uint64_t to = to_all ? TP_MAC_MASK : scene_mac(1);
	unsigned frames = to_all ? 1 : FRAMES; /* one to all goes alone */
	unsigned got[3];
	uint64_t charged;

	for (unsigned i = 0; i < frames; i++)
		scene_send_number(&scene.guest[0], to, i, 64);
	assert_int_equal(tp_worker_sweep(scene.worker), frames);
	rte_rcu_qsbr_quiescent(scene.dataplane->qsbr, 0);
	charged = scene.guest[0].context->counters.bill - before;
	got[1] = receive(1);
	got[2] = receive(2);
	if (got[1] + got[2] != frames || (got[1] > 0 && got[2] > 0))
		fail_msg("%u frames to guest 1 and %u to guest 2", got[1], got[2]);
	if (got[1] > 0 && charged != 0)
		fail_msg("delivered under one tariff, charged %lu under the other", charged);
	if (got[2] > 0 && (charged < frames * COST * 16 || charged > frames * COST * 17))
		fail_msg("delivered for %u credits each, charged %lu sixteenths", COST, charged);
	return got[1] > 0 ? 1 : 2;
}

static void each_frame_is_under_one_snapshot(void **state)
{
	const struct scene_options options = {.guests = 3};
	unsigned seen[3] = {0};
	unsigned changes = 0;
	unsigned last = 0;
	unsigned sweeps;
	uint64_t until;
	pthread_t control;

	(void)state;
	scene_begin(&scene, &options);
	rte_rcu_qsbr_thread_register(scene.dataplane->qsbr, 0);
	rte_rcu_qsbr_thread_online(scene.dataplane->qsbr, 0);
	assert_int_equal(pthread_create(&control, NULL, publish, NULL), 0);
	while (scene.dataplane->published < 2)
		rte_rcu_qsbr_quiescent(scene.dataplane->qsbr, 0);
	until = rte_rdtsc() + SECONDS_MOST * rte_get_tsc_hz();
	for (sweeps = 0; changes < CHANGES_ENOUGH && rte_rdtsc() < until; sweeps++) {
		unsigned to = sweep_and_check(sweeps % 2 == 1);

		seen[to]++;
		changes += to != last;
		last = to;
	}
	rte_rcu_qsbr_thread_offline(scene.dataplane->qsbr, 0);
	atomic_store(&enough, true);
	pthread_join(control, NULL);
	printf("%u sweeps, %u to one, %u to the other; %u changes\n", sweeps, seen[1], seen[2],
		changes);
	assert_true(changes >= CHANGES_LEAST);
	scene_end(&scene);
}

/* --- what a snapshot is made of -------------------------------------------------------------- */

/* Members of tenants stand one after the other, whatever places they have, and holes are none. */
static void members_are_listed_by_tenant(void **state)
{
	static const uint32_t tenant_of[] = {2, 0, 2, 0, 0, 2};
	static const uint32_t expected[] = {1, 4, 0, 2, 5};
	const uint16_t pairs[] = {1, 1, 1, 1, 1, 3};
	struct tp_context_store *store = tp_context_store_new(pairs, 6, NULL);
	struct tp_snapshot *snapshot = tp_snapshot_new(2, 3, 6, SOCKET_ID_ANY, NULL);

	(void)state;
	snapshot->classes[1].pinned = true;
	for (uint32_t i = 0; i < 6; i++)
		snapshot->interfaces[i] = (struct tp_interface){
			.mac = i + 1,
			.context = i == 3 ? NULL : tp_context_at(store, i),
			.tenant = tenant_of[i],
			.class = i >= 4,
		};
	assert_int_equal(tp_snapshot_seal(snapshot, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(snapshot->tenants[0].interface_count, 2);
	assert_int_equal(snapshot->tenants[1].interface_count, 0);
	assert_int_equal(snapshot->tenants[2].first_interface, 2);
	assert_int_equal(snapshot->tenants[2].interface_count, 3);
	assert_memory_equal(snapshot->members, expected, sizeof(expected));
	assert_int_equal(snapshot->pinned_rings, 4);
	assert_int_equal(tp_mac_table_find(snapshot->macs, tp_mac_key(0, 5)), 4);
	assert_int_equal(tp_mac_table_find(snapshot->macs, tp_mac_key(0, 4)), TP_NO_INTERFACE);
	tp_snapshot_free(snapshot);
	tp_context_store_free(store);
}

/* Contexts come and go; what they take does not grow, and what is new begins at zero. */
static void contexts_come_and_go(void **state)
{
	const uint16_t pairs[] = {1, 2};
	struct tp_context_store *store = tp_context_store_new(pairs, 2, NULL);
	struct tp_context *kept = tp_context_at(store, 1);
	struct tp_context *first;

	(void)state;
	assert_null(tp_context_at(store, 2));
	first = tp_context_add(store, 5000, 2, TP_NO_NODE, 7);
	assert_ptr_equal(tp_context_at(store, 5000), first);
	assert_int_equal((uintptr_t)first % 64, 0);
	assert_int_equal(first->pair_count, 2);
	assert_int_equal(first->pair[1].generation, 7);
	assert_int_equal(first->pair[1].tx.call_fd, -1);
	first->counters.bill = 5;
	tp_context_remove(store, 5000);
	assert_null(tp_context_at(store, 5000));
	assert_ptr_equal(tp_context_add(store, 3, 2, TP_NO_NODE, 0), first);
	assert_int_equal(first->counters.bill, 0);
	assert_ptr_not_equal(tp_context_add(store, 4, 1, TP_NO_NODE, 0), first);
	/* one of the first block as well */
	tp_context_remove(store, 1);
	assert_ptr_equal(tp_context_add(store, 1, 2, TP_NO_NODE, 0), kept);
	for (unsigned i = 0; i < 10000; i++) {
		assert_non_null(tp_context_add(store, 6 + i % 50, 8, TP_NO_NODE, 0));
		tp_context_remove(store, 6 + i % 50);
	}
	tp_context_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_listed_by_tenant),
		cmocka_unit_test(contexts_come_and_go),
		cmocka_unit_test(each_frame_is_under_one_snapshot),
	};

	scene_start_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
