/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ring_elem.h>

#include "scene_wire.h"
#include "switch_scene.h"

/*
 * Whose the frames of a wire are. Two tenants with the same MACs have a VLAN each on one uplink,
 * a third has what carries no tag; nothing of one is ever seen by another, whatever tags are
 * forged, by guests or on the wire.
 */

#define PEER 100 /* number of the MAC of a host behind the wire */

static struct scene scene;
static struct wire wire;
static uint8_t received[65536];

static const struct tp_network untagged = {.wire = TP_WIRE_UNTAGGED};

static void begin_with(struct scene_options *options)
{
	scene_start_eal();
	wire_open(&wire, 256, 1);
	options->uplink = wire.uplink;
	scene_begin(&scene, options);
}

/* Guests 0 and 1 in VLAN 100, 2 and 3 in VLAN 200, 4 and 5 without a tag. */
static void begin(void)
{
	struct scene_options options = {
		.guests = 6,
		.tenants = 3,
		.same_macs = true,
		.network = {tp_network_tagged(0, 100), tp_network_tagged(0, 200), untagged},
	};

	begin_with(&options);
}

static void end(void)
{
	wire_check_sums(&wire);
	scene_end(&scene);
	wire_close(&wire);
}

/* A frame with these 16-bit words behind its MACs. @return its length. */
static uint32_t make(
	uint8_t *frame, uint64_t to, uint64_t from, const uint16_t *words, unsigned count)
{
	memset(frame, 0, 64);
	scene_header(frame, to, from);
	for (unsigned i = 0; i < count; i++) {
		frame[12 + 2 * i] = (uint8_t)(words[i] >> 8);
		frame[13 + 2 * i] = (uint8_t)words[i];
	}
	return 64;
}

#define WORDS(...) (const uint16_t[]){__VA_ARGS__}, sizeof((uint16_t[]){__VA_ARGS__}) / 2

/* Who has received something? One bit a guest, bit 8: the wire. */
static unsigned who_received(void)
{
	unsigned who = 0;

	for (unsigned i = 0; i < scene.guests; i++)
		while (scene_receive(&scene.guest[i], received) > 0)
			who |= 1u << i;
	while (wire_take(&wire, received) > 0)
		who |= 1u << 8;
	return who;
}

static unsigned from_wire(uint64_t to, uint64_t from, const uint16_t *words, unsigned count)
{
	uint8_t frame[64];

	wire_put(&wire, frame, make(frame, to, from, words, count), 0);
	assert_int_equal(scene_sweep(&scene), 1);
	return who_received();
}

static unsigned from_guest(unsigned guest, uint64_t to, const uint16_t *words, unsigned count)
{
	uint8_t frame[64];
	uint32_t length = make(frame, to, scene.guest[guest].mac, words, count);

	assert_true(scene_send(&scene.guest[guest], frame, length));
	assert_int_equal(scene_sweep(&scene), 1);
	return who_received();
}

static void test_a_frame_reaches_its_own_tenant(void **state)
{
	const uint64_t peer = scene_mac(PEER);

	(void)state;
	begin();
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x8100, 100, 0x0800)), 1u << 0);
	assert_int_equal(from_wire(scene_mac(1), peer, WORDS(0x8100, 200, 0x0800)), 1u << 3);
	assert_int_equal(from_wire(scene_mac(1), peer, WORDS(0x0800)), 1u << 5);
	/* Priority and drop-eligible bits say nothing of whose it is. */
	assert_int_equal(
		from_wire(scene_mac(0), peer, WORDS(0x8100, 0xf000 | 100, 0x0800)), 1u << 0);
	/* VLAN 0 is a priority for a frame without a VLAN (802.1Q, 9.6). */
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x8100, 0xe000, 0x0800)), 1u << 4);
	assert_int_equal(from_wire(TP_MAC_MASK, peer, WORDS(0x8100, 100, 0x0806)), 3u << 0);
	assert_int_equal(from_wire(TP_MAC_MASK, peer, WORDS(0x8100, 200, 0x0806)), 3u << 2);
	assert_int_equal(from_wire(TP_MAC_MASK, peer, WORDS(0x0806)), 3u << 4);
	end();
}

static void test_what_the_device_has_taken_out_counts(void **state)
{
	uint8_t frame[64];
	uint32_t length;

	(void)state;
	begin();
	length = make(frame, scene_mac(0), scene_mac(PEER), WORDS(0x0800));
	wire_put_stripped(&wire, frame, length, 200);
	wire_put_stripped(&wire, frame, length, 300);
	/* A second tag lies in the frame. */
	make(frame, scene_mac(0), scene_mac(PEER), WORDS(0x8100, 100, 0x0800));
	wire_put_stripped(&wire, frame, length, 200);
	assert_int_equal(scene_sweep(&scene), 3);
	assert_int_equal(who_received(), 1u << 2);
	assert_int_equal(wire_drops(&wire, TP_DROP_UNKNOWN_VLAN), 1);
	assert_int_equal(wire_drops(&wire, TP_DROP_TAGGED), 1);
	end();
}

static void test_forged_tags_of_the_wire(void **state)
{
	const uint64_t peer = scene_mac(PEER);

	(void)state;
	begin();
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x8100, 300, 0x0800)), 0);
	assert_int_equal(from_wire(TP_MAC_MASK, peer, WORDS(0x8100, 4095, 0x0800)), 0);
	assert_int_equal(wire_drops(&wire, TP_DROP_UNKNOWN_VLAN), 2);
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x8100, 100, 0x8100, 200, 0x0800)), 0);
	assert_int_equal(from_wire(TP_MAC_MASK, peer, WORDS(0x8100, 100, 0x88a8, 200, 0x0800)), 0);
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x8100, 0, 0x8100, 200, 0x0800)), 0);
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x88a8, 100, 0x8100, 200, 0x0800)), 0);
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x9100, 100, 0x0800)), 0);
	assert_int_equal(wire_drops(&wire, TP_DROP_TAGGED), 5);
	end();
}

static void test_forged_tags_of_guests(void **state)
{
	const uint64_t peer = scene_mac(PEER);

	(void)state;
	begin();
	for (unsigned guest = 0; guest < 6; guest += 2) {
		assert_int_equal(from_guest(guest, peer, WORDS(0x8100, 200, 0x0800)), 0);
		assert_int_equal(from_guest(guest, peer, WORDS(0x8100, 0, 0x8100, 200)), 0);
		assert_int_equal(from_guest(guest, peer, WORDS(0x88a8, 200, 0x8100, 200)), 0);
		assert_int_equal(from_guest(guest, peer, WORDS(0x9100, 200, 0x0800)), 0);
		assert_int_equal(scene_drops(&scene.guest[guest], TP_DROP_TAGGED), 4);
		/* A flooded one reaches the tenant's other guest, which is no wire. */
		assert_int_equal(from_guest(guest, TP_MAC_MASK, WORDS(0x8100, 200, 0x0800)),
			1u << (guest + 1));
	}
	end();
}

static void test_guests_send_where_they_belong(void **state)
{
	const uint64_t peer = scene_mac(PEER);

	(void)state;
	begin();
	assert_int_equal(from_guest(0, peer, WORDS(0x0800)), 1u << 8);
	assert_memory_equal(received + 12, "\x81\x00\x00\x64\x08\x00", 6);
	assert_int_equal(from_guest(2, peer, WORDS(0x0800)), 1u << 8);
	assert_memory_equal(received + 12, "\x81\x00\x00\xc8\x08\x00", 6);
	assert_int_equal(from_guest(4, peer, WORDS(0x0800)), 1u << 8);
	assert_memory_equal(received + 12, "\x08\x00\x00\x00", 4);
	/* What is here stays here; what is for all goes everywhere in its tenant, and out. */
	assert_int_equal(from_guest(0, scene_mac(1), WORDS(0x0800)), 1u << 1);
	assert_int_equal(from_guest(3, TP_MAC_MASK, WORDS(0x0806)), 1u << 2 | 1u << 8);
	assert_memory_equal(received + 12, "\x81\x00\x00\xc8\x08\x06", 6);
	assert_int_equal(scene_counter(&scene.guest[3], TP_COUNTER_COPIES), 2);
	end();
}

static void test_nothing_goes_back_to_the_wire(void **state)
{
	struct scene_options options = {
		.guests = 2, .flood_unknown = true, .network = {tp_network_tagged(0, 100)}};
	const uint64_t peer = scene_mac(PEER);

	(void)state;
	begin_with(&options);
	assert_int_equal(from_wire(TP_MAC_MASK, peer, WORDS(0x8100, 100, 0x0806)), 3);
	assert_int_equal(from_wire(scene_mac(PEER + 1), peer, WORDS(0x8100, 100, 0x0800)), 3);
	/* A guest's address cannot come from out there. */
	assert_int_equal(from_wire(scene_mac(1), scene_mac(0), WORDS(0x8100, 100, 0x0800)), 0);
	assert_int_equal(from_wire(scene_mac(1), peer | 1, WORDS(0x8100, 100, 0x0800)), 0);
	assert_int_equal(wire_drops(&wire, TP_DROP_SOURCE_MAC), 2);
	/* Unknown: to the wire, and to the guests, since such frames are flooded here. */
	assert_int_equal(from_guest(0, peer, WORDS(0x0800)), 1u << 1 | 1u << 8);
	end();
}

static void test_unknown_from_the_wire_is_dropped(void **state)
{
	(void)state;
	begin();
	assert_int_equal(from_wire(scene_mac(PEER + 1), scene_mac(PEER), WORDS(0x0800)), 0);
	assert_int_equal(wire_drops(&wire, TP_DROP_UNKNOWN_DESTINATION), 1);
	end();
}

/* What control does with a sighting. */
static void learn_all(void)
{
	struct rte_ring *sightings = scene.dataplane->worker[0]->sightings;
	struct tp_sighting sighting;

	while (rte_ring_sc_dequeue_elem(sightings, &sighting, sizeof(sighting)) == 0) {
		assert_int_equal(sighting.interface, TP_TO_UPLINK(0));
		assert_int_equal(tp_mac_key_tenant(sighting.key), 0);
		assert_int_equal(
			tp_learned_set(scene.dataplane->learned, sighting.key, sighting.interface),
			0);
		scene.dataplane->learned_generation++;
	}
}

static void test_macs_behind_the_wire_are_learned(void **state)
{
	struct scene_options options = {.guests = 2,
		.flood_unknown = true,
		.learning = true,
		.network = {tp_network_tagged(0, 100)}};
	const uint64_t peer = scene_mac(PEER);

	(void)state;
	begin_with(&options);
	assert_int_equal(from_guest(0, peer, WORDS(0x0800)), 1u << 1 | 1u << 8);
	assert_int_equal(from_wire(scene_mac(0), peer, WORDS(0x8100, 100, 0x0800)), 1u << 0);
	learn_all();
	assert_int_equal(from_guest(0, peer, WORDS(0x0800)), 1u << 8);
	/* Both are out there. */
	assert_int_equal(from_wire(peer, scene_mac(PEER + 1), WORDS(0x8100, 100, 0x0800)), 0);
	assert_int_equal(wire_drops(&wire, TP_DROP_OWN_DESTINATION), 1);
	end();
}

/* Control says that it learns no more: then strangers do not fill the ring that all tenants share.
 */
static void test_what_would_not_be_learned_is_not_sighted(void **state)
{
	struct scene_options options = {.guests = 2,
		.flood_unknown = true,
		.learning = true,
		.network = {tp_network_tagged(0, 100)}};
	struct rte_ring *sightings;

	(void)state;
	begin_with(&options);
	sightings = scene.dataplane->worker[0]->sightings;
	from_wire(scene_mac(0), scene_mac(PEER), WORDS(0x8100, 100, 0x0800));
	learn_all();
	scene.dataplane->enough_beyond[0] = 1;
	from_wire(scene_mac(0), scene_mac(PEER), WORDS(0x8100, 100, 0x0800));
	assert_int_equal(
		from_wire(scene_mac(0), scene_mac(PEER + 1), WORDS(0x8100, 100, 0x0800)), 1u << 0);
	assert_int_equal(rte_ring_count(sightings), 0);
	scene.dataplane->enough_beyond[0] = 0;
	from_wire(scene_mac(0), scene_mac(PEER + 1), WORDS(0x8100, 100, 0x0800));
	assert_int_equal(rte_ring_count(sightings), 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frame_reaches_its_own_tenant),
		cmocka_unit_test(test_what_the_device_has_taken_out_counts),
		cmocka_unit_test(test_forged_tags_of_the_wire),
		cmocka_unit_test(test_forged_tags_of_guests),
		cmocka_unit_test(test_guests_send_where_they_belong),
		cmocka_unit_test(test_nothing_goes_back_to_the_wire),
		cmocka_unit_test(test_unknown_from_the_wire_is_dropped),
		cmocka_unit_test(test_macs_behind_the_wire_are_learned),
		cmocka_unit_test(test_what_would_not_be_learned_is_not_sighted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
