/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who receives what from the running appliance: tenants with equal MACs, flooding, named drops.
 *
 *   appliance_tenants_test PATH-OF-TURNPIKED
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "guests.h"

/* Both tenants have the MACs 1 to 3. */
/* clang-format off */
static const char two_tenants[] =
	"'acme': {'interfaces': {"
		INTERFACE("a1", "01", "") "," INTERFACE("a2", "02", "") "," INTERFACE("a3", "03", "") "}},"
	"'umbra': {'unknown_unicast': 'flood', 'interfaces': {"
		INTERFACE("u1", "01", "") "," INTERFACE("u2", "02", "") "," INTERFACE("u3", "03", "") "}}";
/* clang-format on */

static const char *const sockets[] = {
	"a1.sock", "a2.sock", "a3.sock", "u1.sock", "u2.sock", "u3.sock"};

static struct scene *six_guests(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, two_tenants);
	for (unsigned i = 0; i < 6; i++)
		scene_attach(scene, i, sockets[i], NULL);
	return scene;
}

static void expect_silence_but(struct scene *scene, unsigned except)
{
	for (unsigned i = 0; i < 6; i++)
		if (!(except >> i & 1))
			guest_expect_silence(scene->guest[i]);
}

static void unicast_stays_in_its_tenant(void **state)
{
	struct scene *scene = six_guests(state);
	struct tp_frontend **guest = scene->guest;

	for (uint32_t seed = 0; seed < 300; seed++) {
		guest_say(guest[0], 2, 1, seed);
		guest_say(guest[3], 2, 1, seed + 1000);
		guest_hear(guest[1], 2, 1, seed);
		guest_hear(guest[4], 2, 1, seed + 1000);
	}
	expect_silence_but(scene, 0);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "delivered"), 300);
	assert_int_equal(appliance_counter(&scene->appliance, "umbra/u2", "rx_frames"), 300);
	scene_end(scene);
}

static void broadcast_stays_in_its_tenant(void **state)
{
	struct scene *scene = six_guests(state);
	struct tp_frontend **guest = scene->guest;

	for (uint32_t seed = 0; seed < 100; seed++) {
		guest_say(guest[0], BROADCAST, 1, seed);
		guest_hear(guest[1], BROADCAST, 1, seed);
		guest_hear(guest[2], BROADCAST, 1, seed);
	}
	guest_wait_completed(guest[0]);
	expect_silence_but(scene, 0);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "flooded"), 100);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "copies"), 200);
	scene_end(scene);
}

static void unknown_unicast_is_dropped_or_flooded(void **state)
{
	struct scene *scene = six_guests(state);
	struct tp_frontend **guest = scene->guest;

	for (uint32_t seed = 0; seed < 50; seed++) {
		guest_say(guest[0], 0x77, 1, seed);
		guest_say(guest[3], 0x77, 1, seed);
		guest_hear(guest[4], 0x77, 1, seed);
		guest_hear(guest[5], 0x77, 1, seed);
	}
	guest_wait_completed(guest[0]);
	guest_wait_completed(guest[3]);
	expect_silence_but(scene, 0);
	assert_int_equal(
		appliance_counter(&scene->appliance, "acme/a1", "unknown_destination"), 50);
	assert_int_equal(appliance_counter(&scene->appliance, "umbra/u1", "flooded"), 50);
	scene_end(scene);
}

/* Interleaved, so that a burst holds all of it. */
static void drops_have_their_names(void **state)
{
	static const struct {
		unsigned to, from;
		size_t length;
		const char *name;
	} cases[] = {
		{2, 9, 100, "source_mac"},
		{2, BROADCAST, 100, "source_mac"},
		{1, 1, 100, "own_destination"},
		{0x55, 1, 100, "unknown_destination"},
		{3, 1, 100, "destination_down"},
	};
	struct scene *scene = *state;
	struct tp_frontend **guest = scene->guest;
	uint8_t frame[4000];

	scene_start(scene, NULL, two_tenants);
	scene_attach(scene, 0, sockets[0], &(struct tp_frontend_settings){.buffer_size = 4000});
	scene_attach(scene, 1, sockets[1], &(struct tp_frontend_settings){.buffer_size = 1600});
	for (uint32_t seed = 0; seed < 20; seed++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			frame_make(frame, cases[i].length, cases[i].to, cases[i].from, seed);
			guest_send(guest[0], 0, frame, cases[i].length);
		}
		frame_make(frame, sizeof(frame), 2, 1, seed);
		guest_send(guest[0], 0, frame, 13);
		guest_send(guest[0], 0, frame, sizeof(frame));
		guest_say(guest[0], 2, 1, seed);
		guest_hear(guest[1], 2, 1, seed);
	}
	guest_wait_completed(guest[0]);
	guest_expect_silence(guest[1]);
	for (size_t i = 2; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			appliance_counter(&scene->appliance, "acme/a1", cases[i].name), 20);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "source_mac"), 40);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "runt"), 20);
	assert_int_equal(
		appliance_counter(&scene->appliance, "acme/a1", "destination_too_small"), 20);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "delivered"), 20);
	scene_end(scene);
}

/* A chain longer than any frame may be. */
static void oversize_is_dropped(void **state)
{
	struct tp_frontend_settings settings = {.buffer_size = 70000, .ring_size = 64};
	struct scene *scene = *state;
	static uint8_t frame[70000];

	scene_start(scene, NULL, two_tenants);
	scene_attach(scene, 0, sockets[0], &settings);
	scene_attach(scene, 1, sockets[1], &settings);
	frame_make(frame, sizeof(frame), 2, 1, 1);
	guest_send(scene->guest[0], 0, frame, 65536);
	guest_send(scene->guest[0], 0, frame, sizeof(frame));
	guest_send(scene->guest[0], 0, frame, 65535);
	guest_expect(scene->guest[1], 0, frame, 65535);
	guest_expect_silence(scene->guest[1]);
	/* One descriptor says it all, so the address is judged by its length first or not at all.
	 */
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "too_long"), 2);
	scene_end(scene);
}

static void broadcast_to_nobody(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, two_tenants);
	scene_attach(scene, 0, sockets[0], NULL);
	guest_say(scene->guest[0], BROADCAST, 1, 1);
	guest_wait_completed(scene->guest[0]);
	assert_int_equal(appliance_counter(&scene->appliance, "acme/a1", "flood_nobody"), 1);
	scene_end(scene);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			unicast_stays_in_its_tenant, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(
			broadcast_stays_in_its_tenant, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(
			unknown_unicast_is_dropped_or_flooded, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(
			drops_have_their_names, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(oversize_is_dropped, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(broadcast_to_nobody, scene_setup, scene_teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: appliance_tenants_test PATH-OF-TURNPIKED\n");
		return 2;
	}
	appliance_program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
