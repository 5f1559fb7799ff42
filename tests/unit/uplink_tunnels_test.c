/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include "burst.h"
#include "scene_wire.h"
#include "switch_scene.h"
#include "vxlan_pop.h"
#include "vxlan_support.h"

/*
 * Tenants in VXLAN on one uplink: where frames go, what comes back, and that nothing of one tenant
 * is ever seen by another.
 */

#define PEER 100 /* numbers of MACs: behind the first remote, */
#define FAR  101 /* and behind the second */

static struct scene scene;
static struct wire wire;
static struct tp_neighbour neighbour[2];
static uint8_t frame[SCENE_BUFFER];
static uint8_t received[65536];

/* Guests 0 and 1 in VNI 5000, 2 and 3 in VNI 6000 with the same MACs, 4 and 5 without a network. */
static void begin_with(unsigned pinned)
{
	struct scene_options options = {
		.guests = 6,
		.tenants = 3,
		.pinned = pinned,
		.same_macs = true,
		.underlay = underlay_of("192.0.2.1"),
		.far_macs = {{.key = 0}},
	};

	scene_start_eal();
	options.network[0] = network_of_two_remotes(5000, neighbour);
	options.network[1] = network_of_two_remotes(6000, neighbour);
	for (unsigned i = 0; i < 2; i++)
		options.far_macs[i] =
			(struct tp_far_mac){.key = tp_mac_key(0, scene_mac(PEER + i)), .tunnel = i};
	wire_open(&wire, 256, 1);
	options.uplink = wire.uplink;
	scene_begin(&scene, &options);
	neighbour[0].mac = THEIR_MAC;
	neighbour[1].mac = THEIR_MAC + 0x100;
}

static void begin(void)
{
	begin_with(0);
}

static void end(void)
{
	wire_check_sums(&wire);
	scene_end(&scene);
	wire_close(&wire);
}

static uint32_t make(uint64_t to, uint64_t from, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 31 + length);
	scene_header(frame, to, from);
	return length;
}

static void guest_sends(unsigned guest, uint64_t to, uint32_t length)
{
	make(to, scene.guest[guest].mac, length);
	assert_true(scene_send(&scene.guest[guest], frame, length));
	assert_int_equal(scene_sweep(&scene), 1);
}

/* The frame sent last comes out of a tunnel of this VNI to this remote. */
static void wrapped(uint32_t vni, uint8_t remote, uint32_t length)
{
	assert_int_equal(wire_take(&wire, received), 50 + length);
	assert_int_equal(received[33], remote);
	assert_int_equal(received[46] << 16 | received[47] << 8 | received[48], vni);
	assert_memory_equal(received + 50, frame, length);
}

/* The frame in frame[] comes in. */
static void comes_in(const char *remote, uint32_t vni, uint32_t length)
{
	struct tp_tunnel tunnel = tunnel_to_us(remote, vni);
	uint8_t outer[SCENE_BUFFER];

	tp_vxlan_push(&tunnel, OUR_MAC, outer, length, 0x12345678);
	memcpy(outer + tunnel.length, frame, length);
	wire_put(&wire, outer, tunnel.length + length, 0);
}

static uint32_t who_received(void)
{
	uint32_t who = 0;

	for (unsigned i = 0; i < scene.guests; i++)
		while (scene_receive(&scene.guest[i], received) > 0)
			who |= 1u << i;
	return who;
}

static void test_frames_go_where_their_mac_is(void **state)
{
	(void)state;
	begin();
	guest_sends(0, scene_mac(PEER), 100);
	wrapped(5000, 7, 100);
	guest_sends(0, scene_mac(FAR), 100);
	wrapped(5000, 8, 100);
	guest_sends(0, scene.guest[1].mac, 100);
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(who_received(), 1u << 1);
	end();
}

static void not_known_goes_to_all_remotes(void)
{
	guest_sends(0, scene_mac(55), 100);
	wrapped(5000, 7, 100);
	wrapped(5000, 8, 100);
	assert_int_equal(who_received(), 0); /* and to no guest */
	guest_sends(0, TP_MAC_MASK, 100);
	wrapped(5000, 7, 100);
	wrapped(5000, 8, 100);
	assert_int_equal(who_received(), 1u << 1);
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES), 5);
	end();
}

static void test_what_is_not_known_goes_to_all_remotes(void **state)
{
	(void)state;
	begin();
	not_known_goes_to_all_remotes();
	/* The same, a copy at a time. */
	begin_with(1);
	scene.worker->flood.piece = 1;
	not_known_goes_to_all_remotes();
}

static void test_a_remote_that_is_not_resolved(void **state)
{
	(void)state;
	begin();
	neighbour[0].mac = 0;
	guest_sends(0, scene_mac(PEER), 100);
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_TUNNEL_UNRESOLVED), 1);
	guest_sends(0, scene_mac(55), 100);
	wrapped(5000, 8, 100);
	neighbour[0].mac = THEIR_MAC;
	guest_sends(0, scene_mac(PEER), 100);
	wrapped(5000, 7, 100);
	end();
}

static void test_the_longest_frame(void **state)
{
	(void)state;
	begin();
	guest_sends(0, scene_mac(PEER), 1450 + 14);
	wrapped(5000, 7, 1450 + 14);
	guest_sends(0, scene_mac(PEER), 1450 + 15);
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_OVER_MTU), 1);
	end();
}

static void test_frames_reach_their_tenant_alone(void **state)
{
	(void)state;
	begin();
	for (unsigned tenant = 0; tenant < 2; tenant++) {
		make(scene.guest[1].mac, scene_mac(PEER), 100);
		comes_in("192.0.2.7", tenant == 0 ? 5000 : 6000, 100);
		scene_sweep(&scene);
		assert_int_equal(scene_receive(&scene.guest[1 + 2 * tenant], received), 100);
		assert_memory_equal(received, frame, 100);
		assert_int_equal(who_received(), 0);
		make(TP_MAC_MASK, scene_mac(PEER), 100);
		comes_in("192.0.2.7", tenant == 0 ? 5000 : 6000, 100);
		scene_sweep(&scene);
		assert_int_equal(who_received(), 3u << (2 * tenant));
		assert_int_equal(wire_take(&wire, received), 0); /* nobody's way leads on */
	}
	end();
}

static void refused(const char *remote, uint32_t vni, enum tp_drop drop)
{
	uint64_t before = wire_drops(&wire, drop);

	comes_in(remote, vni, 100);
	scene_sweep(&scene);
	assert_int_equal(wire_drops(&wire, drop), before + 1);
	assert_int_equal(who_received(), 0);
	assert_int_equal(wire_take(&wire, received), 0);
}

static void test_what_comes_in_wrongly_is_refused_by_name(void **state)
{
	(void)state;
	begin();
	make(scene.guest[1].mac, scene_mac(PEER), 100);
	refused("192.0.2.7", 5001, TP_DROP_VXLAN_VNI);
	refused("192.0.2.9", 5000, TP_DROP_VXLAN_REMOTE);
	refused("192.0.2.8", 5000, TP_DROP_SOURCE_MAC); /* the MAC is another remote's */
	make(scene.guest[1].mac, scene.guest[0].mac, 100);
	refused("192.0.2.7", 5000, TP_DROP_SOURCE_MAC); /* a guest's */
	make(scene_mac(FAR), scene_mac(PEER), 100);
	refused("192.0.2.7", 5000, TP_DROP_OWN_DESTINATION); /* from remote to remote */
	make(scene_mac(55), scene_mac(PEER), 100);
	refused("192.0.2.7", 5000, TP_DROP_UNKNOWN_DESTINATION);
	make(scene.guest[1].mac, scene_mac(PEER), 100);
	frame[12] = 0x81;
	frame[13] = 0;
	refused("192.0.2.7", 5000, TP_DROP_TAGGED);
	end();
}

static void test_guests_with_tags_are_refused(void **state)
{
	static const uint8_t types[][2] = {{0x81, 0}, {0x88, 0xa8}, {0x91, 0}};

	(void)state;
	begin();
	for (unsigned i = 0; i < 3; i++) {
		make(scene_mac(PEER), scene.guest[0].mac, 100);
		memcpy(frame + 12, types[i], 2);
		assert_true(scene_send(&scene.guest[0], frame, 100));
		scene_sweep(&scene);
		assert_int_equal(wire_take(&wire, received), 0);
	}
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_TAGGED), 3);
	end();
}

/* Outer headers that a guest writes are bytes of its frame like others. */
static void test_a_guest_that_writes_outer_headers(void **state)
{
	struct tp_tunnel tunnel = tunnel_to_us("192.0.2.7", 5000);

	(void)state;
	begin();
	make(scene_mac(PEER), scene.guest[2].mac, 200);
	memcpy(frame + 12, tunnel.header + 12, tunnel.length - 12u);
	assert_true(scene_send(&scene.guest[2], frame, 200));
	scene_sweep(&scene);
	wrapped(6000, 7, 200);
	wrapped(6000, 8, 200);
	assert_int_equal(who_received(), 0);
	end();
}

static void test_local_tenants_stay_local(void **state)
{
	(void)state;
	begin();
	guest_sends(4, TP_MAC_MASK, 100);
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(who_received(), 1u << 5);
	guest_sends(4, scene_mac(PEER), 100);
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(scene_drops(&scene.guest[4], TP_DROP_UNKNOWN_DESTINATION), 1);
	end();
}

/* A frame to all, and behind it in the same burst one to a guest that got a copy. */
static void test_order_of_a_broadcast_and_what_follows(void **state)
{
	(void)state;
	begin();
	for (unsigned round = 0; round < 40; round++) {
		make(TP_MAC_MASK, scene_mac(PEER), 100);
		comes_in("192.0.2.7", 5000, 100);
		for (unsigned n = 0; n < 2; n++) {
			make(scene.guest[1].mac, scene_mac(PEER), 200 + n);
			comes_in("192.0.2.7", 5000, 200 + n);
		}
		assert_int_equal(scene_sweep(&scene), 3);
		assert_int_equal(scene_receive(&scene.guest[0], received), 100);
		assert_int_equal(scene_receive(&scene.guest[1], received), 100);
		assert_int_equal(scene_receive(&scene.guest[1], received), 200);
		assert_int_equal(scene_receive(&scene.guest[1], received), 201);
		assert_int_equal(who_received(), 0);
	}
	end();
}

static unsigned given_to_control(void)
{
	struct tp_underlay_frame given;
	unsigned count = 0;

	while (rte_ring_sc_dequeue_elem(
		       scene.dataplane->worker[0]->underlay, &given, sizeof(given)) == 0) {
		rte_pktmbuf_free(given.mbuf);
		count++;
	}
	return count;
}

static void test_control_gets_what_is_its_own(void **state)
{
	static const uint8_t question[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9,
		8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 192,
		0, 2, 1};
	struct tp_underlay_frame given;

	(void)state;
	begin();
	wire_put(&wire, question, sizeof(question), 0);
	scene_sweep(&scene);
	assert_int_equal(wire_drops(&wire, TP_DROP_FOR_CONTROL), 1);
	assert_int_equal(rte_ring_sc_dequeue_elem(
				 scene.dataplane->worker[0]->underlay, &given, sizeof(given)),
		0);
	assert_int_equal(given.uplink, 0);
	assert_memory_equal(rte_pktmbuf_mtod(given.mbuf, uint8_t *), question, sizeof(question));
	rte_pktmbuf_free(given.mbuf);
	/* What control does not fetch is bounded. */
	for (unsigned i = 0; i < TP_UNDERLAY_FRAMES + 10; i++)
		wire_put(&wire, question, sizeof(question), 0);
	while (scene_sweep(&scene) > 0)
		;
	assert_int_equal(wire_drops(&wire, TP_DROP_CONTROL_BUSY), 10);
	assert_int_equal(given_to_control(), TP_UNDERLAY_FRAMES);
	assert_int_equal(who_received(), 0);
	end();
}

/* Echo requests come from anywhere, and other stations ask each other: neighbours are heard all the
 * same. */
static void test_strangers_leave_room_for_neighbours(void **state)
{
	static uint8_t echo[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 28, 0, 0,
		0, 0, 64, 1, 0, 0, 198, 51, 100, 1, 192, 0, 2, 1, 8};
	static uint8_t arp[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1,
		8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 192, 0, 2, 9};
	uint16_t sum = (uint16_t)~rte_raw_cksum(echo + 14, 20);

	(void)state;
	memcpy(echo + 24, &sum, sizeof(sum));
	begin();
	for (unsigned i = 0; i < 2 * TP_UNDERLAY_FRAMES; i++) {
		wire_put(&wire, echo, sizeof(echo), 0);
		wire_put(&wire, arp, sizeof(arp), 0); /* for another station */
	}
	while (scene_sweep(&scene) > 0)
		;
	assert_int_equal(wire_drops(&wire, TP_DROP_OUTER_OTHER), 2 * TP_UNDERLAY_FRAMES);
	assert_int_equal(wire_drops(&wire, TP_DROP_FOR_CONTROL), TP_UNDERLAY_ECHOES);
	assert_int_equal(wire_drops(&wire, TP_DROP_CONTROL_BUSY),
		2 * TP_UNDERLAY_FRAMES - TP_UNDERLAY_ECHOES);
	arp[41] = 1; /* for us */
	wire_put(&wire, arp, sizeof(arp), 0);
	arp[41] = 9;
	arp[31] = 1; /* from one that has our address, too */
	wire_put(&wire, arp, sizeof(arp), 0);
	wire_put(&wire, arp, 41, 0); /* cut off */
	scene_sweep(&scene);
	assert_int_equal(given_to_control(), TP_UNDERLAY_ECHOES + 2);
	assert_int_equal(who_received(), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strangers_leave_room_for_neighbours),
		cmocka_unit_test(test_frames_go_where_their_mac_is),
		cmocka_unit_test(test_what_is_not_known_goes_to_all_remotes),
		cmocka_unit_test(test_a_remote_that_is_not_resolved),
		cmocka_unit_test(test_the_longest_frame),
		cmocka_unit_test(test_frames_reach_their_tenant_alone),
		cmocka_unit_test(test_what_comes_in_wrongly_is_refused_by_name),
		cmocka_unit_test(test_guests_with_tags_are_refused),
		cmocka_unit_test(test_a_guest_that_writes_outer_headers),
		cmocka_unit_test(test_local_tenants_stay_local),
		cmocka_unit_test(test_order_of_a_broadcast_and_what_follows),
		cmocka_unit_test(test_control_gets_what_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
