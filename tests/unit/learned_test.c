/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "switch_scene.h"

/* Learned MACs: their table, and what workers do with it. Further MACs of an interface. */

static struct scene scene;
static uint8_t sent[64], received[65536];

/* --- The table --- */

/* Nobody else looks at the tables: what is removed is free at once. */
static struct rte_rcu_qsbr *quiescence(void)
{
	static struct rte_rcu_qsbr *qsbr;

	if (qsbr == NULL) {
		qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
		assert_int_equal(rte_rcu_qsbr_init(qsbr, 1), 0);
	}
	return qsbr;
}

static struct tp_learned *table_of(uint32_t capacity)
{
	struct tp_error error = {""};
	struct tp_learned *learned;

	scene_start_eal();
	learned = tp_learned_new(capacity, SOCKET_ID_ANY, quiescence(), &error);
	if (learned == NULL)
		fail_msg("%s", error.text);
	return learned;
}

static uint32_t place_of(const struct tp_learned *learned, uint64_t key)
{
	uint32_t place;

	tp_learned_find(learned, key, &place);
	return place;
}

static void an_address_is_learned_moved_and_forgotten(void **state)
{
	struct tp_learned *learned = table_of(4);
	uint32_t place;

	(void)state;
	assert_int_equal(tp_learned_find(learned, 5, &place), TP_NO_INTERFACE);
	assert_int_equal(place, TP_NO_PLACE);
	assert_int_equal(tp_learned_set(learned, 5, 7), 0);
	assert_int_equal(tp_learned_find(learned, 5, &place), 7);
	assert_true(tp_learned_taken(learned, place));
	assert_int_equal(tp_learned_set(learned, 5, 8), 0);
	assert_int_equal(tp_learned_find(learned, 5, &place), 8);
	assert_int_equal(learned->count, 1);
	tp_learned_forget(learned, place);
	assert_int_equal(tp_learned_find(learned, 5, &place), TP_NO_INTERFACE);
	assert_int_equal(learned->count, 0);
	tp_learned_free(learned);
}

/* Places go round: none is lost, none is given away twice. */
static void a_full_table_takes_no_more(void **state)
{
	struct tp_learned *learned = table_of(64);

	(void)state;
	for (uint64_t round = 0; round < 50; round++) {
		bool used[64] = {false};

		for (uint64_t i = 0; i < 64; i++)
			assert_int_equal(tp_learned_set(learned, 1000 * round + i, 1), 0);
		assert_int_equal(tp_learned_set(learned, 1000 * round + 64, 1), -ENOSPC);
		for (uint64_t i = 0; i < 64; i++) {
			uint32_t place = place_of(learned, 1000 * round + i);

			assert_in_range(place, 0, 63);
			assert_false(used[place]);
			used[place] = true;
			tp_learned_forget(learned, place);
		}
	}
	tp_learned_free(learned);
}

static void an_address_ages_until_it_is_seen(void **state)
{
	struct tp_learned *learned = table_of(4);
	uint32_t place;

	(void)state;
	learned->second = 10;
	tp_learned_set(learned, 5, 7);
	place = place_of(learned, 5);
	learned->second = 25;
	assert_int_equal(tp_learned_age(learned, place), 15);
	tp_learned_stamp(learned, place);
	assert_int_equal(tp_learned_age(learned, place), 0);
	tp_learned_free(learned);
}

static void a_copy_knows_as_much_as_it_has_room_for(void **state)
{
	struct tp_learned *from = table_of(8);
	struct tp_learned *larger = table_of(16);
	struct tp_learned *smaller = table_of(3);
	uint32_t place;

	(void)state;
	for (uint64_t key = 0; key < 8; key++) {
		from->second = (uint32_t)key;
		tp_learned_set(from, key, (uint32_t)key + 100);
	}
	tp_learned_copy(larger, from);
	tp_learned_copy(smaller, from);
	assert_int_equal(larger->count, 8);
	assert_int_equal(smaller->count, 3);
	for (uint64_t key = 0; key < 8; key++) {
		assert_int_equal(tp_learned_find(larger, key, &place), key + 100);
		assert_int_equal(tp_learned_age(larger, place), 7 - key);
	}
	tp_learned_free(from);
	tp_learned_free(larger);
	tp_learned_free(smaller);
}

/* --- In the path --- */

static void say(unsigned from, uint64_t to, uint64_t source)
{
	scene_header(sent, to, source);
	assert_true(scene_send(&scene.guest[from], sent, 60));
	assert_int_equal(scene_sweep(&scene), 1);
}

/* One that is known where it sends is stamped, and control is not told again. */
static void workers_stamp_what_they_see(void **state)
{
	static const struct scene_options options = {
		.guests = 3, .learning = true, .no_source_check = true};
	uint64_t key = tp_mac_key(0, scene_mac(40));
	struct tp_learned *learned;

	(void)state;
	scene_begin(&scene, &options);
	learned = atomic_load(&scene.dataplane->learned);
	tp_learned_set(learned, key, 0);
	atomic_fetch_add(&scene.dataplane->learned_generation, 1);
	learned->second = 100;
	say(0, scene.guest[1].mac, scene_mac(40));
	assert_int_equal(tp_learned_age(learned, place_of(learned, key)), 0);
	assert_int_equal(rte_ring_count(scene.dataplane->worker[0]->sightings), 0);
	learned->second = 200;
	atomic_store(&scene.guest[0].context->learned_enough, true); /* its own may still be seen */
	say(0, scene.guest[1].mac, scene_mac(40));
	assert_int_equal(tp_learned_age(learned, place_of(learned, key)), 0);
	learned->second = 300;
	say(2, scene.guest[1].mac, scene_mac(40)); /* elsewhere: for control to decide */
	assert_int_equal(tp_learned_age(learned, place_of(learned, key)), 100);
	assert_int_equal(rte_ring_count(scene.dataplane->worker[0]->sightings), 1);
	scene_end(&scene);
}

/* --- Further MACs --- */

static void publish_further_mac(const struct scene_options *options, unsigned guest, uint64_t mac)
{
	struct tp_snapshot *snapshot = scene_snapshot(&scene, options);

	tp_mac_table_free(snapshot->macs);
	assert_int_equal(tp_snapshot_make_static_macs(snapshot, 1, SOCKET_ID_ANY, NULL), 0);
	snapshot->static_macs[0] = (struct tp_static_mac){.mac = mac, .interface = guest};
	assert_int_equal(tp_snapshot_seal(snapshot, SOCKET_ID_ANY, NULL), 0);
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
}

static void a_further_mac_is_the_interface_s_own(void **state)
{
	static const struct scene_options options = {.guests = 3};

	(void)state;
	scene_begin(&scene, &options);
	publish_further_mac(&options, 0, scene_mac(40));
	say(1, scene_mac(40), scene.guest[1].mac); /* it leads there */
	assert_int_equal(scene_receive(&scene.guest[0], received), 60);
	say(0, scene.guest[1].mac, scene_mac(40)); /* it may send from it */
	assert_int_equal(scene_receive(&scene.guest[1], received), 60);
	say(2, scene.guest[1].mac, scene_mac(40)); /* nobody else may */
	say(0, scene.guest[1].mac, scene_mac(41)); /* nor it from another one */
	assert_int_equal(scene_receive(&scene.guest[1], received), 0);
	assert_int_equal(scene_drops(&scene.guest[2], TP_DROP_SOURCE_MAC), 1);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_SOURCE_MAC), 1);
	say(0, scene_mac(40), scene.guest[0].mac); /* not out and in again */
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_OWN_DESTINATION), 1);
	scene_check_sums(&scene);
	scene_end(&scene);
}

/* --- Storms --- */

/* A class's flood_rate is for each of its interfaces, and for frames to many alone. */
static void frames_to_many_are_limited(void **state)
{
	static const struct scene_options options = {.guests = 3};
	struct tp_snapshot *snapshot;
	unsigned heard = 0;

	(void)state;
	scene_begin(&scene, &options);
	snapshot = scene_snapshot(&scene, &options);
	snapshot->classes[SCENE_PLAIN].flood =
		tp_shape_make(&(struct tp_rate){.frames_per_second = 1, .burst_ns = 5000000000},
			rte_get_tsc_hz());
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
	for (unsigned n = 0; n < 20; n++) {
		say(0, TP_MAC_MASK, scene.guest[0].mac);
		say(0, scene.guest[2].mac, scene.guest[0].mac);
		assert_true(scene_receive(&scene.guest[2], received) > 0);
		heard += scene_receive(&scene.guest[1], received) > 0;
		while (scene_receive(&scene.guest[2], received) > 0)
			continue;
	}
	assert_in_range(heard, 5, 7);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_FLOOD_RATE), 20 - heard);
	say(1, TP_MAC_MASK, scene.guest[1].mac); /* the other one has its own bucket */
	assert_int_equal(scene_receive(&scene.guest[2], received), 60);
	scene_check_sums(&scene);
	scene_end(&scene);
}

/* --- Who chooses addresses --- */

#define FORGED 64

/* CRC is linear: whoever knows the table's function, if it is this one, finds MACs of one tenant
 * with the hash of another tenant's by elimination. Row i: bits of MACs with a hash, as a basis. */
struct row {
	uint32_t hash;
	uint64_t mac;
};

static uint32_t crc_of(uint32_t tenant, uint64_t mac)
{
	uint64_t key = tp_mac_key(tenant, mac);

	return rte_hash_crc(&key, sizeof(key), 0);
}

static void reduce(const struct row basis[32], struct row *row)
{
	for (unsigned bit = 0; bit < 32; bit++)
		if ((row->hash >> bit & 1) && basis[bit].hash != 0) {
			row->hash ^= basis[bit].hash;
			row->mac ^= basis[bit].mac;
		}
}

/* MACs of tenant 0 with the hash of a key. */
static void forge(uint64_t key, uint64_t forged[FORGED])
{
	uint32_t nothing = crc_of(0, 0);
	struct row basis[32] = {{0}};
	uint64_t same[16];
	unsigned free_rows = 0;
	struct row wanted = {.hash = rte_hash_crc(&key, sizeof(key), 0) ^ nothing};

	for (unsigned i = 1; i < 48; i++) { /* bit 0 marks groups */
		struct row row = {crc_of(0, UINT64_C(1) << i) ^ nothing, UINT64_C(1) << i};

		reduce(basis, &row);
		if (row.hash != 0)
			basis[__builtin_ctz(row.hash)] = row;
		else if (free_rows < 16)
			same[free_rows++] = row.mac;
	}
	reduce(basis, &wanted);
	assert_int_equal(wanted.hash, 0);
	assert_true(free_rows >= 6);
	for (unsigned n = 0; n < FORGED; n++) {
		forged[n] = wanted.mac;
		for (unsigned i = 0; i < 6; i++)
			forged[n] ^= n >> i & 1 ? same[i] : 0;
		assert_int_equal(crc_of(0, forged[n]), rte_hash_crc(&key, sizeof(key), 0));
	}
}

static void nobody_can_choose_macs_that_keep_anothers_out(void **state)
{
	struct tp_learned *learned = table_of(4096);
	const uint64_t victim = tp_mac_key(1, scene_mac(3));
	uint64_t forged[FORGED];

	(void)state;
	forge(victim, forged);
	for (unsigned n = 0; n < FORGED; n++)
		tp_learned_set(learned, tp_mac_key(0, forged[n]), 1);
	assert_int_equal(tp_learned_set(learned, victim, 2), 0);
	assert_int_equal(learned->count, FORGED + 1);
	tp_learned_free(learned);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_can_choose_macs_that_keep_anothers_out),
		cmocka_unit_test(an_address_is_learned_moved_and_forgotten),
		cmocka_unit_test(a_full_table_takes_no_more),
		cmocka_unit_test(an_address_ages_until_it_is_seen),
		cmocka_unit_test(a_copy_knows_as_much_as_it_has_room_for),
		cmocka_unit_test(workers_stamp_what_they_see),
		cmocka_unit_test(a_further_mac_is_the_interface_s_own),
		cmocka_unit_test(frames_to_many_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
