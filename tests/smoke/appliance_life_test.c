/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The appliance and its guests come and go: workers and cores, client mode, killed and started
 * again, a second appliance, learned MACs.
 *
 *   appliance_life_test PATH-OF-TURNPIKED
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/node.h"
#include "guests.h"

/* clang-format off */
static const char two_tenants[] =
	"'acme': {'interfaces': {" INTERFACE("a1", "01", "") "," INTERFACE("a2", "02", "") "}},"
	"'umbra': {'interfaces': {" INTERFACE("u1", "01", "") "," INTERFACE("u2", "02", "") "}}";
static const char client_tenant[] =
	"'acme': {'interfaces': {" INTERFACE("a1", "01", ", 'mode': 'client'") ","
		INTERFACE("a2", "02", "") "}}";
static const char learning_tenant[] =
	"'acme': {'mac_learning': true, 'unknown_unicast': 'flood', 'interfaces': {"
		INTERFACE("a1", "01", ", 'source_mac_check': false") ","
		INTERFACE("a2", "02", ", 'source_mac_check': false") ","
		INTERFACE("a3", "03", ", 'source_mac_check': false") ","
		INTERFACE("a4", "04", "") "}}";
static const char short_memory[] =
	"'acme': {'mac_learning': {'age': '1s', 'per_tenant': 3}, 'interfaces': {"
		INTERFACE("a1", "01", ", 'source_mac_check': false") ","
		INTERFACE("a2", "02", "") "}}";
/* clang-format on */

static const char *const sockets[] = {"a1.sock", "a2.sock", "u1.sock", "u2.sock"};

static void attach_four(struct scene *scene)
{
	for (unsigned i = 0; i < 4; i++)
		scene_attach(scene, i, sockets[i], NULL);
}

static void talk(struct scene *scene, unsigned first)
{
	for (uint32_t seed = 0; seed < 100; seed++) {
		guest_say(scene->guest[first], 2, 1, seed);
		guest_hear(scene->guest[first + 1], 2, 1, seed);
		guest_say(scene->guest[first + 1], 1, 2, seed);
		guest_hear(scene->guest[first], 1, 2, seed);
	}
}

static void works_on(void **state, const char *dataplane)
{
	struct scene *scene = *state;

	scene_start(scene, dataplane, two_tenants);
	for (unsigned round = 0; round < 2; round++) {
		attach_four(scene);
		talk(scene, 0);
		talk(scene, 2);
		for (unsigned i = 0; i < 4; i++)
			scene_hang_up(scene, i);
	}
	scene_end(scene);
}

/* As a number, which a text of `show` becomes when there is one. */
static void expect_node(const struct scene *scene, const char *interface, struct tp_frontend *guest)
{
	struct tp_frontend_ring *ring = &guest->ring[tp_transmit_ring(0)];
	void *page = ring->vring.used;
	char expected[16];

	snprintf(expected, sizeof(expected), "%d", tp_node_of_pages(&page, 1));
	assert_string_equal(appliance_text(&scene->appliance, interface, "memory_node"), expected);
	assert_in_range(atoi(expected), 0, tp_node_count() - 1);
}

/* Where the memory of a guest lies, and where its worker runs, is told. */
static void memory_has_a_node(void **state)
{
	struct scene *scene = *state;
	json_t *workers;

	scene_start(scene, NULL, two_tenants);
	assert_string_equal(appliance_text(&scene->appliance, "acme/a1", "memory_node"), "");
	expect_node(scene, "acme/a1", scene_attach(scene, 0, "a1.sock", NULL));
	expect_node(scene, "acme/a2",
		scene_attach(scene, 1, "a2.sock",
			&(struct tp_frontend_settings){.huge_pages = true, .two_regions = true}));
	talk(scene, 0);
	scene_hang_up(scene, 0);
	appliance_wait_text(&scene->appliance, "acme/a1", "state", "listening");
	assert_string_equal(appliance_text(&scene->appliance, "acme/a1", "memory_node"), "");
	workers = appliance_show(&scene->appliance, "workers");
	assert_in_range(json_integer_value(json_object_get(json_array_get(workers, 0), "node")), 0,
		tp_node_count() - 1);
	assert_true(json_is_integer(json_object_get(json_array_get(workers, 0), "node")));
	json_decref(workers);
	scene_end(scene);
}

static void two_workers(void **state)
{
	works_on(state, "'worker_cores': [0, 1]");
}

static void one_core_for_all(void **state)
{
	works_on(state, "'worker_cores': [0], 'control_core': 0");
}

/* Frames on their way while their tenant goes from worker to worker: each arrives once, in order.
 */
static void tenants_move_under_traffic(void **state)
{
	struct scene *scene = *state;
	json_t *workers;

	scene_start(scene, "'worker_cores': [0, 1], 'stay_hot': '100us'", two_tenants);
	attach_four(scene);
	for (uint32_t round = 0; round < 300; round++) {
		char request[80];

		for (uint32_t i = 0; i < 40; i++)
			guest_say(scene->guest[0], 2, 1, 40 * round + i);
		snprintf(request, sizeof(request), "{'command':'move','tenant':'%s','worker':%u}",
			round % 3 == 0 ? "umbra" : "acme", round / 2 % 2);
		for (char *c = request; *c != '\0'; c++)
			*c = *c == '\'' ? '"' : *c;
		json_decref(appliance_ask(&scene->appliance, request));
		for (uint32_t i = 0; i < 40; i++)
			guest_hear(scene->guest[1], 2, 1, 40 * round + i);
		if (round % 10 == 0)
			talk(scene, 2);
	}
	workers = appliance_show(&scene->appliance, "workers");
	assert_non_null(
		strstr(json_string_value(json_object_get(json_array_get(workers, 0), "reason")),
			"an operator wanted it"));
	json_decref(workers);
	scene_end(scene);
}

static void client_mode_reconnects(void **state)
{
	struct tp_frontend_settings serving = {.serve = true};
	struct scene *scene = *state;

	scene_start(scene, NULL, client_tenant);
	scene_attach(scene, 1, sockets[1], NULL);
	for (unsigned round = 0; round < 3; round++) {
		usleep(round * 150000); /* the switch has tried in vain */
		scene_attach(scene, 0, sockets[0], &serving);
		talk(scene, 0);
		scene_hang_up(scene, 0);
		appliance_wait_text(&scene->appliance, "acme/a1", "state", "connecting");
	}
	scene_end(scene);
}

static void client_mode_with_the_guest_first(void **state)
{
	struct scene *scene = *state;
	struct tp_frontend_settings serving = {.serve = true};
	struct tp_error error = {""};

	appliance_configure(&scene->appliance, NULL, client_tenant);
	strcpy(scene->path[0], scene->appliance.directory);
	strcat(scene->path[0], "/a1.sock");
	serving.path = scene->path[0];
	scene->guest[0] = tp_frontend_new(&serving, &error);
	assert_non_null(scene->guest[0]);
	assert_int_equal(tp_frontend_listen(scene->guest[0], &error), 0);
	appliance_start(&scene->appliance);
	assert_int_equal(tp_frontend_connect(scene->guest[0], &error), 0);
	assert_int_equal(tp_frontend_handshake(scene->guest[0], &error), 0);
	scene_attach(scene, 1, sockets[1], NULL);
	talk(scene, 0);
	scene_end(scene);
}

/* The guests keep their memory and rings; only their connections are new. */
static void killed_and_started_again(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, two_tenants);
	attach_four(scene);
	for (unsigned round = 0; round < 3; round++) {
		talk(scene, 0);
		appliance_kill(&scene->appliance);
		appliance_start(&scene->appliance);
		for (unsigned i = 0; i < 4; i++) {
			struct tp_error error = {""};

			assert_true(tp_frontend_hung_up(scene->guest[i]));
			close(scene->guest[i]->socket);
			if (tp_frontend_connect(scene->guest[i], &error) < 0 ||
				tp_frontend_handshake(scene->guest[i], &error) < 0)
				fail_msg("%s", error.text);
		}
		talk(scene, 0);
		talk(scene, 2);
	}
	scene_end(scene);
}

static void expect_refusal(struct scene *scene, bool other_control, const char *socket_name)
{
	struct appliance *appliance = &scene->appliance;
	char output[4096], expected[128];

	assert_int_not_equal(
		appliance_start_second(appliance, other_control, output, sizeof(output)), 0);
	snprintf(expected, sizeof(expected), "%s/%s is served by process %d (turnpiked)",
		appliance->directory, socket_name, appliance->process);
	if (strstr(output, expected) == NULL)
		fail_msg("expected \"%s\", found: %s", expected, output);
}

/* Where the control socket is the same, the first one's guests do not even see the second one. */
static void a_second_appliance_is_refused(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, two_tenants);
	attach_four(scene);
	expect_refusal(scene, false, "control.sock");
	expect_refusal(scene, true, "a1.sock");
	talk(scene, 0);
	scene_hang_up(scene, 0);
	appliance_wait_text(&scene->appliance, "acme/a1", "state", "listening");
	expect_refusal(scene, false, "control.sock");
	assert_string_equal(appliance_text(&scene->appliance, "acme/a1", "connections"), "1");
	talk(scene, 2);
	scene_end(scene);
}

/* --- learning --- */

static uint64_t learned(const struct scene *scene)
{
	json_t *tenants = appliance_show(&scene->appliance, "tenants");
	uint64_t count = (uint64_t)json_integer_value(
		json_object_get(json_array_get(tenants, 0), "learned_macs"));

	json_decref(tenants);
	return count;
}

static void wait_learned(const struct scene *scene, uint64_t count)
{
	for (unsigned i = 0; i < 500 && learned(scene) != count; i++)
		usleep(10000);
	assert_int_equal(learned(scene), count);
}

static struct scene *three_learners(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, learning_tenant);
	scene_attach(scene, 0, "a1.sock", NULL);
	scene_attach(scene, 1, "a2.sock", NULL);
	scene_attach(scene, 2, "a3.sock", NULL);
	return scene;
}

static bool takes_one(struct tp_frontend *guest, unsigned timeout_ms)
{
	uint8_t frame[100];

	return tp_frontend_receive(guest, 0, NULL, frame, sizeof(frame), timeout_ms, NULL) > 0;
}

/* Frames from guest 1 to MAC 0x50 reach one guest alone, now or soon. */
static void wait_led_to(struct scene *scene, unsigned right, unsigned wrong)
{
	for (uint32_t seed = 0; seed < 100; seed++) {
		bool came;

		guest_say(scene->guest[1], 0x50, 2, seed);
		guest_wait_completed(scene->guest[1]);
		came = takes_one(scene->guest[right], 0);
		if (!takes_one(scene->guest[wrong], 0) && came)
			return;
		usleep(10000);
	}
	fail_msg("frames for a learned MAC do not reach its place alone");
}

static void macs_are_learned_moved_and_forgotten(void **state)
{
	struct scene *scene = three_learners(state);
	struct tp_frontend **guest = scene->guest;

	guest_say(guest[1], 0x50, 1, 0); /* unknown: flooded */
	guest_hear(guest[0], 0x50, 1, 0);
	guest_hear(guest[2], 0x50, 1, 0);
	guest_say(guest[0], 2, 0x50, 1);
	guest_hear(guest[1], 2, 0x50, 1);
	wait_learned(scene, 1);
	wait_led_to(scene, 0, 2);
	guest_say(guest[2], 2, 0x50, 3); /* it has moved */
	guest_hear(guest[1], 2, 0x50, 3);
	wait_led_to(scene, 2, 0);
	assert_int_equal(learned(scene), 1);
	scene_hang_up(scene, 2);
	wait_learned(scene, 0);
	guest_say(guest[1], 0x50, 2, 5);
	guest_hear(guest[0], 0x50, 2, 5);
	scene_end(scene);
}

static void configured_macs_are_not_stolen(void **state)
{
	struct scene *scene = three_learners(state);

	for (uint32_t seed = 0; seed < 50; seed++) {
		guest_say(scene->guest[0], 3, 2, seed);
		guest_hear(scene->guest[2], 3, 2, seed);
		usleep(1000);
	}
	assert_int_equal(learned(scene), 0);
	guest_say(scene->guest[2], 2, 3, 1);
	guest_hear(scene->guest[1], 2, 3, 1);
	guest_expect_silence(scene->guest[0]);
	scene_end(scene);
}

static void a_flood_of_macs_evicts_nobody(void **state)
{
	struct scene *scene = three_learners(state);
	struct tp_frontend **guest = scene->guest;
	uint8_t frame[60];

	guest_say(guest[1], 3, 0x50, 1);
	guest_hear(guest[2], 3, 0x50, 1);
	wait_learned(scene, 1);
	for (uint32_t seed = 0; seed < 100000; seed++) {
		frame_make(frame, sizeof(frame), 4, 9, seed); /* a4 is down: dropped */
		memcpy(frame + 7, &seed, sizeof(seed));
		guest_send(guest[0], 0, frame, sizeof(frame));
	}
	guest_wait_completed(guest[0]);
	wait_learned(scene, 65);
	guest_say(guest[2], 0x50, 3, 2);
	guest_hear(guest[1], 0x50, 3, 2);
	scene_end(scene);
}

/* One that goes on sending stays, one that is silent goes. */
static void silent_macs_age(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, short_memory);
	scene_attach(scene, 0, "a1.sock", NULL);
	scene_attach(scene, 1, "a2.sock", NULL);
	guest_say(scene->guest[0], 2, 0x51, 0);
	guest_hear(scene->guest[1], 2, 0x51, 0);
	for (uint32_t seed = 1; seed < 35; seed++) {
		guest_say(scene->guest[0], 2, 0x50, seed);
		guest_hear(scene->guest[1], 2, 0x50, seed);
		if (seed == 5)
			assert_int_equal(learned(scene), 2);
		usleep(100000);
	}
	assert_int_equal(learned(scene), 1);
	wait_learned(scene, 0);
	scene_end(scene);
}

static void a_tenant_learns_no_more_than_it_may(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, short_memory);
	scene_attach(scene, 0, "a1.sock", NULL);
	scene_attach(scene, 1, "a2.sock", NULL);
	for (uint8_t mac = 0x50; mac < 0x60; mac++) {
		guest_say(scene->guest[0], 2, mac, mac);
		guest_hear(scene->guest[1], 2, mac, mac);
	}
	wait_learned(scene, 3);
	scene_end(scene);
}

static unsigned count_kind(const struct scene *scene, const char *kind, const char *interface)
{
	json_t *macs = appliance_show(&scene->appliance, "macs");
	unsigned count = 0;
	size_t i;
	json_t *one;

	json_array_foreach(macs, i, one)
	{
		bool same = strcmp(json_string_value(json_object_get(one, "kind")), kind) == 0;

		count += same && strcmp(json_string_value(json_object_get(one, "interface")),
					 interface) == 0;
	}
	json_decref(macs);
	return count;
}

static json_int_t flush(const struct scene *scene, const char *request)
{
	json_t *answer = appliance_ask(&scene->appliance, request);
	json_int_t forgotten = json_integer_value(json_object_get(answer, "forgotten"));

	json_decref(answer);
	return forgotten;
}

static void macs_are_shown_and_flushed(void **state)
{
	struct scene *scene = three_learners(state);

	for (uint8_t mac = 0x50; mac < 0x53; mac++) {
		guest_say(scene->guest[0], 2, mac, mac);
		guest_hear(scene->guest[1], 2, mac, mac);
	}
	guest_say(scene->guest[2], 2, 0x60, 0);
	guest_hear(scene->guest[1], 2, 0x60, 0);
	wait_learned(scene, 4);
	assert_int_equal(count_kind(scene, "configured", "a1"), 1);
	assert_int_equal(count_kind(scene, "learned", "a1"), 3);
	assert_int_equal(
		flush(scene, "{\"command\":\"flush\",\"tenant\":\"acme\",\"interface\":\"a3\"}"),
		1);
	assert_int_equal(count_kind(scene, "learned", "a3"), 0);
	assert_int_equal(learned(scene), 3);
	assert_int_equal(flush(scene, "{\"command\":\"flush\",\"tenant\":\"acme\"}"), 3);
	assert_int_equal(flush(scene, "{\"command\":\"flush\"}"), 0);
	guest_say(scene->guest[1], 0x50, 2, 1); /* unknown again: flooded */
	guest_hear(scene->guest[0], 0x50, 2, 1);
	guest_hear(scene->guest[2], 0x50, 2, 1);
	scene_end(scene);
}

#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(memory_has_a_node),
		SCENARIO(two_workers),
		SCENARIO(one_core_for_all),
		SCENARIO(tenants_move_under_traffic),
		SCENARIO(client_mode_reconnects),
		SCENARIO(client_mode_with_the_guest_first),
		SCENARIO(killed_and_started_again),
		SCENARIO(a_second_appliance_is_refused),
		SCENARIO(macs_are_learned_moved_and_forgotten),
		SCENARIO(configured_macs_are_not_stolen),
		SCENARIO(a_flood_of_macs_evicts_nobody),
		SCENARIO(silent_macs_age),
		SCENARIO(a_tenant_learns_no_more_than_it_may),
		SCENARIO(macs_are_shown_and_flushed),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: appliance_life_test PATH-OF-TURNPIKED\n");
		return 2;
	}
	appliance_program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
