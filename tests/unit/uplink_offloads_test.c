/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "scene_wire.h"
#include "switch_scene.h"
#include "vxlan_support.h"

/*
 * What the device is asked to do changes nothing on the wire: for every mask of offloads, every
 * kind of network and many lengths the frames are the same, byte by byte.
 */

#define MASKS (2 * TP_NIC_UDP_CHECKSUM)

static struct scene scene;
static struct wire wire;
static struct tp_neighbour neighbour = {.mac = THEIR_MAC};
static uint8_t frame[SCENE_BUFFER];
static uint8_t received[65536];
static uint8_t expected[1600][1600];
static uint32_t expected_length[1600];

static struct tp_network tunnel_network(const char *local, const char *remote)
{
	struct tp_network network = {.wire = TP_WIRE_TUNNEL, .extra = -70};

	scene_start_eal();
	assert_int_equal(tp_snapshot_add_tunnels(&network, 1, SOCKET_ID_ANY, NULL), 0);
	network.tunnels.vni = VNI;
	network.tunnels.tunnel[0] = tunnel_from(local, remote, OUR_MAC, 0);
	network.tunnels.tunnel[0].next_hop = &neighbour;
	tp_tunnels_index(&network.tunnels);
	network.unknown = TP_TO_TUNNEL(0);
	return network;
}

static void send_all(struct tp_network network, const char *local, uint16_t mask)
{
	struct scene_options options = {.guests = 2, .network = {network}};

	if (local != NULL)
		options.underlay = underlay_of(local);
	scene_start_eal();
	wire_open(&wire, 256, 1);
	wire.uplink->offloads = mask;
	options.uplink = wire.uplink;
	scene_begin(&scene, &options);
	for (uint32_t length = 14; length <= 1444; length += length < 100 ? 1 : 37) {
		for (uint32_t i = 0; i < length; i++)
			frame[i] = (uint8_t)(i * 31 + length);
		scene_header(frame, scene_mac(100), scene.guest[0].mac);
		assert_true(scene_send(&scene.guest[0], frame, length));
		assert_int_equal(scene_sweep(&scene), 1);
		if (mask == 0) {
			expected_length[length] = wire_take(&wire, expected[length]);
			assert_true(expected_length[length] >= length);
			continue;
		}
		assert_int_equal(wire_take_finished(&wire, received), expected_length[length]);
		assert_memory_equal(received, expected[length], expected_length[length]);
	}
	scene_end(&scene);
	wire_close(&wire);
}

static void test_tunnels_over_ipv4(void **state)
{
	(void)state;
	for (uint16_t mask = 0; mask < MASKS; mask++)
		send_all(tunnel_network("192.0.2.1", "192.0.2.7"), "192.0.2.1", mask);
}

static void test_tunnels_over_ipv6(void **state)
{
	(void)state;
	for (uint16_t mask = 0; mask < MASKS; mask++)
		send_all(tunnel_network("2001:db8::1", "2001:db8::7"), "2001:db8::1", mask);
}

static void test_tags(void **state)
{
	const struct tp_network networks[] = {
		{.wire = TP_WIRE_UNTAGGED},
		tp_network_tagged(0, 100),
		{.wire = TP_WIRE_TAGGED, .rule = {.service = 300, .any = true}},
		{.wire = TP_WIRE_TAGGED, .rule = {.service = 300, .vlan = 100}},
	};

	(void)state;
	for (unsigned n = 0; n < sizeof(networks) / sizeof(networks[0]); n++)
		for (uint16_t mask = 0; mask < MASKS; mask++)
			send_all(networks[n], NULL, mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tunnels_over_ipv4),
		cmocka_unit_test(test_tunnels_over_ipv6),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
