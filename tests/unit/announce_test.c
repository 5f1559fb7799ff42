/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "burst.h"
#include "scene_wire.h"
#include "switch_scene.h"
#include "vxlan_support.h"

/*
 * A guest that has come from another host is announced: to the other guests of its tenant and
 * beyond, as its network looks there, and to nobody else.
 */

#define PLAIN 60 /* bytes of an announcement, 64 with a tag */
#define MOST  64 /* frames of announcements in a sweep */

static struct scene scene;
static struct wire wire;
static struct tp_neighbour neighbour[2];
static uint8_t received[65536];

static struct tp_network trunk_of(uint16_t service, uint16_t first, uint16_t last)
{
	struct tp_network network = {
		.wire = TP_WIRE_TAGGED, .extra = 4, .rule = {.service = service}};
	struct tp_vlan_set *trunk = tp_snapshot_add_trunk(&network, SOCKET_ID_ANY, NULL);

	assert_non_null(trunk);
	for (uint16_t vlan = first; vlan <= last; vlan++)
		tp_vlan_set_add(trunk, vlan);
	return network;
}

/* Two tenants of two guests with equal MACs; the first has a network. */
static struct scene_options with(struct tp_network network)
{
	return (struct scene_options){
		.guests = 4,
		.tenants = 2,
		.same_macs = true,
		.network = {network},
		.underlay = underlay_of("192.0.2.1"),
	};
}

static void begin(struct scene_options options)
{
	scene_start_eal();
	wire_open(&wire, 256, 1);
	options.uplink = wire.uplink;
	scene_begin(&scene, &options);
}

/* An announcement is a frame of its guest's: the sums hold with it. */
static void check_sums(void)
{
	uint64_t arrived = tp_uplink_accepted(wire.uplink->queue[0]);
	uint64_t sent = 0;

	for (unsigned i = 0; i < scene.guests; i++) {
		const struct scene_guest *guest = &scene.guest[i];
		uint64_t ended = scene_counter(guest, TP_COUNTER_DELIVERED);

		arrived += scene_counter(guest, TP_COUNTER_RX_FRAMES);
		sent += ended - scene_counter(guest, TP_COUNTER_FLOODED) +
			scene_counter(guest, TP_COUNTER_COPIES);
		for (unsigned drop = 1; drop < TP_DROP_COUNT; drop++)
			ended += scene_drops(guest, drop);
		assert_int_equal(scene_counter(guest, TP_COUNTER_TX_FRAMES), ended);
	}
	assert_int_equal(arrived, sent);
}

static void end(void)
{
	wire_check_sums(&wire);
	check_sums();
	scene_end(&scene);
	wire_close(&wire);
}

/* The reverse request for a MAC, with so many bytes of tags. */
static void is_request(const uint8_t *frame, uint64_t mac, const char *tags, uint32_t tag_bytes)
{
	static const uint8_t zero[22]; /* target IPv4 address, then what fills the frame */

	assert_memory_equal(frame, "\xff\xff\xff\xff\xff\xff", 6);
	assert_memory_equal(frame + 6, &mac, 6);
	assert_memory_equal(frame + 12, tags, tag_bytes);
	frame += 12 + tag_bytes;
	assert_memory_equal(frame, "\x80\x35\x00\x01\x08\x00\x06\x04\x00\x03", 10);
	assert_memory_equal(frame + 10, &mac, 6);
	assert_memory_equal(frame + 16, zero, 4);
	assert_memory_equal(frame + 20, &mac, 6);
	assert_memory_equal(frame + 26, zero, sizeof(zero));
}

static void leaves(const char *tags, uint32_t tag_bytes)
{
	assert_int_equal(wire_take(&wire, received), PLAIN + tag_bytes);
	is_request(received, scene.guest[0].mac, tags, tag_bytes);
}

/* Its neighbour alone has got it, once. */
static void neighbour_hears(const char *tags, uint32_t tag_bytes)
{
	assert_int_equal(scene_receive(&scene.guest[1], received), PLAIN + tag_bytes);
	is_request(received, scene.guest[0].mac, tags, tag_bytes);
}

static void nobody_hears(void)
{
	assert_int_equal(wire_take(&wire, received), 0);
	for (unsigned guest = 0; guest < scene.guests; guest++)
		assert_int_equal(scene_receive(&scene.guest[guest], received), 0);
}

static void announce(void)
{
	scene_announce(&scene, 0, scene.guest[0].mac);
}

static void check_once(struct tp_network network, const char *tags, uint32_t tag_bytes)
{
	begin(with(network));
	announce();
	assert_int_equal(scene_sweep(&scene), 1);
	leaves(tags, tag_bytes);
	neighbour_hears("", 0);
	nobody_hears();
	scene_sweep(&scene);
	nobody_hears();
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_ANNOUNCEMENTS), 1);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_TX_FRAMES), 1);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_TX_BYTES), PLAIN);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES), 2);
	end();
}

static void test_without_tags(void **state)
{
	(void)state;
	check_once((struct tp_network){.wire = TP_WIRE_UNTAGGED}, "", 0);
}

static void test_with_the_tags_of_the_network(void **state)
{
	(void)state;
	check_once(tp_network_tagged(0, 100), "\x81\x00\x00\x64", 4);
	check_once(
		(struct tp_network){
			.wire = TP_WIRE_TAGGED, .extra = 8, .rule = {.service = 300, .any = true}},
		"\x88\xa8\x01\x2c", 4);
	check_once(
		(struct tp_network){.wire = TP_WIRE_TAGGED, .rule = {.service = 301, .vlan = 100}},
		"\x88\xa8\x01\x2d\x81\x00\x00\x64", 8);
}

/* Pinned rings are served between its copies; one has a frame for a guest that is full. */
static void test_in_pieces(void **state)
{
	struct scene_options options = with(tp_network_tagged(0, 100));

	(void)state;
	options.pinned = 4;
	begin(options);
	scene.worker->flood.piece = 1;
	for (unsigned n = 0; n <= SCENE_RING; n++) {
		scene_send_number(&scene.guest[2], scene.guest[3].mac, n, 300);
		scene_sweep(&scene);
	}
	assert_int_equal(scene_counter(&scene.guest[3], TP_COUNTER_RX_FRAMES), SCENE_RING);
	announce();
	assert_int_equal(scene_sweep(&scene), 1);
	assert_null(scene.worker->flood.source);
	leaves("\x81\x00\x00\x64", 4);
	neighbour_hears("", 0);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES), 2);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED), 1);
	end();
}

static void test_in_each_vlan_of_a_trunk(void **state)
{
	(void)state;
	scene_start_eal();
	begin(with(trunk_of(300, 100, 101)));
	announce();
	scene_sweep(&scene);
	leaves("\x88\xa8\x01\x2c\x81\x00\x00\x64", 8);
	leaves("\x88\xa8\x01\x2c\x81\x00\x00\x65", 8);
	neighbour_hears("\x81\x00\x00\x64", 4);
	neighbour_hears("\x81\x00\x00\x65", 4);
	nobody_hears();
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_ANNOUNCEMENTS), 2);
	end();
}

/* However many VLANs there are, a sweep remains short, and other guests have their turn. */
static void test_a_trunk_of_all_vlans(void **state)
{
	uint32_t sweeps = 0;
	uint32_t frames = 0;

	(void)state;
	scene_start_eal();
	begin(with(trunk_of(0, 1, TP_VLAN_LAST)));
	announce();
	scene_send_number(&scene.guest[2], scene.guest[3].mac, 7, 60);
	do {
		frames = scene_sweep(&scene);
		assert_in_range(frames, 0, MOST + 1);
		if (sweeps++ == 0)
			assert_int_equal(scene_receive(&scene.guest[3], received), 60);
		while (scene_receive(&scene.guest[1], received) > 0)
			;
		for (; wire_take(&wire, received) > 0; frames = 1)
			is_request(received, scene.guest[0].mac, (const char *)received + 12, 4);
	} while (frames > 0);
	assert_in_range(sweeps, TP_VLAN_LAST / MOST, TP_VLAN_LAST / MOST + 3);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_ANNOUNCEMENTS), TP_VLAN_LAST);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES), 2 * TP_VLAN_LAST);
	end();
}

/* Nor do others wait until all of it is told with what they have for many themselves. */
static void test_a_trunk_leaves_others_their_turn(void **state)
{
	(void)state;
	begin(with(trunk_of(0, 1, 8)));
	scene.worker->flooding.most = 1; /* a frame a sweep */
	announce();
	scene_send_number(&scene.guest[2], TP_MAC_MASK, 7, 60);
	for (unsigned sweep = 0; sweep < 3; sweep++)
		scene_sweep(&scene);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_ANNOUNCEMENTS), 3);
	assert_int_equal(scene_receive(&scene.guest[3], received), 60);
	end();
}

static void test_to_all_remotes(void **state)
{
	(void)state;
	scene_start_eal();
	neighbour[0].mac = neighbour[1].mac = THEIR_MAC;
	begin(with(network_of_two_remotes(5000, neighbour)));
	announce();
	scene_sweep(&scene);
	for (uint8_t remote = 7; remote <= 8; remote++) {
		assert_int_equal(wire_take(&wire, received), 50 + PLAIN);
		assert_int_equal(received[33], remote);
		is_request(received + 50, scene.guest[0].mac, "", 0);
	}
	neighbour_hears("", 0);
	nobody_hears();
	end();
}

static void test_within_the_host(void **state)
{
	(void)state;
	begin(with((struct tp_network){.wire = TP_WIRE_NONE}));
	announce();
	scene_sweep(&scene);
	neighbour_hears("", 0);
	nobody_hears();
	end();
}

/* It waits until the guest's ring runs, and for nothing else. */
static void test_before_the_ring_runs(void **state)
{
	struct scene_options options = with(tp_network_tagged(0, 100));

	(void)state;
	begin(options);
	scene_sweep(&scene);
	scene_stop(&scene, 0);
	announce();
	scene_sweep(&scene);
	nobody_hears();
	scene_start(&scene, 0, &options);
	scene_sweep(&scene);
	leaves("\x81\x00\x00\x64", 4);
	neighbour_hears("", 0);
	nobody_hears();
	end();
}

/* What may not leave, or cannot, is dropped by its name. */
static void test_dropped_by_name(void **state)
{
	(void)state;
	begin(with(tp_network_tagged(0, 100)));
	scene_announce(&scene, 0, scene.guest[1].mac);
	scene_sweep(&scene);
	nobody_hears();
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_SOURCE_MAC), 1);
	wire.uplink->link_up = 0;
	announce();
	scene_sweep(&scene);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES_REFUSED), 1);
	neighbour_hears("", 0);
	nobody_hears();
	wire.uplink->link_up = 1;
	end();
}

/* In the midst of the guests' own frames. */
static void test_beside_frames_of_the_guest(void **state)
{
	(void)state;
	begin(with(tp_network_tagged(0, 100)));
	for (unsigned n = 0; n < 5; n++)
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
	announce();
	assert_int_equal(scene_sweep(&scene), 6);
	neighbour_hears("", 0);
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(scene_receive(&scene.guest[1], received), 60);
		assert_int_equal(scene_number(received), n);
	}
	leaves("\x81\x00\x00\x64", 4);
	end();
}

/* The bill for one, and what its neighbour has received, whatever frame was handled before. */
static void test_paid_by_its_own_length(void **state)
{
	uint64_t bill[2];

	(void)state;
	for (unsigned run = 0; run < 2; run++) {
		begin(with(tp_network_tagged(0, 100)));
		if (run == 1)
			scene_send_number(&scene.guest[2], scene.guest[3].mac, 1, 1500);
		scene_sweep(&scene);
		announce();
		assert_int_equal(scene_sweep(&scene), 1);
		neighbour_hears("", 0);
		bill[run] = scene_bill(&scene.guest[0]);
		assert_int_equal(scene_counter(&scene.guest[1], TP_COUNTER_RX_BYTES), PLAIN);
		end();
	}
	assert_true(bill[0] > 0);
	assert_int_equal(bill[1], bill[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_tags),
		cmocka_unit_test(test_with_the_tags_of_the_network),
		cmocka_unit_test(test_in_each_vlan_of_a_trunk),
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_a_trunk_of_all_vlans),
		cmocka_unit_test(test_a_trunk_leaves_others_their_turn),
		cmocka_unit_test(test_to_all_remotes),
		cmocka_unit_test(test_within_the_host),
		cmocka_unit_test(test_before_the_ring_runs),
		cmocka_unit_test(test_dropped_by_name),
		cmocka_unit_test(test_beside_frames_of_the_guest),
		cmocka_unit_test(test_paid_by_its_own_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
