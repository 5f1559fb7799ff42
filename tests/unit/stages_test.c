/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "burst.h"
#include "classify.h"
#include "complete.h"
#include "copy.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"
#include "switch_scene.h"

/*
 * The stages one by one, with a guest that rewrites its memory between them: every decision is
 * about bytes that were read once, and it is those bytes that travel (double fetch).
 */

static struct scene scene;
static uint8_t received[65536];

static struct tp_burst *begin_burst(void)
{
	static const struct scene_options options = {.guests = 3};
	struct tp_burst *burst;

	scene_begin(&scene, &options);
	scene.worker->snapshot = atomic_load(&scene.dataplane->snapshot);
	burst = &scene.worker->burst;
	burst->snapshot = scene.worker->snapshot;
	burst->source = &burst->snapshot->interfaces[0];
	burst->class = &scene.worker->snapshot->classes[burst->source->class];
	burst->context = scene.guest[0].context;
	burst->pair = &burst->context->pair[0];
	burst->interface = 0;
	burst->pair_index = 0;
	return burst;
}

static void finish(struct tp_burst *burst)
{
	tp_copy(burst);
	tp_publish(scene.worker);
	tp_complete(scene.worker);
}

static uint8_t *sent_frame(void)
{
	return scene.guest[0].tx_buffer[0] + TP_NET_HEADER;
}

static void test_descriptor_rewritten_after_peek(void **state)
{
	struct tp_burst *burst = begin_burst();
	struct vring_desc *desc = &scene.guest[0].tx.desc[0];

	(void)state;
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 42, 100);
	burst->count = tp_split_peek(&burst->pair->tx, &burst->views, TP_BURST);
	*desc = (struct vring_desc){.addr = 0, .len = UINT32_MAX, .flags = 7, .next = 0xffff};
	tp_classify(burst);
	tp_lookup(scene.worker);
	tp_reserve(scene.worker);
	assert_int_equal(burst->accepted, 1);
	finish(burst);
	assert_int_equal(scene_receive(&scene.guest[1], received), 100);
	assert_int_equal(scene_number(received), 42);
	scene_end(&scene);
}

static void test_available_entry_rewritten_after_peek(void **state)
{
	struct tp_burst *burst = begin_burst();

	(void)state;
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 42, 100);
	burst->count = tp_split_peek(&burst->pair->tx, &burst->views, TP_BURST);
	scene.guest[0].tx.avail->ring[0] = 9;
	tp_classify(burst);
	tp_lookup(scene.worker);
	tp_reserve(scene.worker);
	finish(burst);
	assert_int_equal(guest_take(&scene.guest[0].tx).id, 0);
	scene_end(&scene);
}

static void test_addresses_rewritten_after_they_were_judged(void **state)
{
	struct tp_burst *burst = begin_burst();

	(void)state;
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 42, 100);
	burst->count = tp_split_peek(&burst->pair->tx, &burst->views, TP_BURST);
	tp_classify(burst);
	/* now another destination and a source that would not have been allowed */
	scene_header(sent_frame(), scene.guest[2].mac, scene.guest[1].mac);
	tp_lookup(scene.worker);
	tp_reserve(scene.worker);
	finish(burst);
	assert_int_equal(scene_receive(&scene.guest[2], received), 0);
	assert_int_equal(scene_receive(&scene.guest[1], received), 100);
	assert_int_equal(tp_mac_load(received), scene.guest[1].mac);
	assert_int_equal(tp_mac_load(received + 6), scene.guest[0].mac);
	scene_end(&scene);
}

static void test_receive_descriptor_rewritten_after_reserve(void **state)
{
	struct tp_burst *burst = begin_burst();
	struct vring_desc *desc = &scene.guest[1].rx.desc[0];
	struct vring_desc before;

	(void)state;
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 42, 100);
	burst->count = tp_split_peek(&burst->pair->tx, &burst->views, TP_BURST);
	tp_classify(burst);
	tp_lookup(scene.worker);
	tp_reserve(scene.worker);
	before = *desc;
	*desc = (struct vring_desc){.addr = 0, .len = 1, .flags = 0, .next = 0xffff};
	finish(burst);
	*desc = before;
	assert_int_equal(scene_receive(&scene.guest[1], received), 100);
	assert_int_equal(scene_number(received), 42);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor_rewritten_after_peek),
		cmocka_unit_test(test_available_entry_rewritten_after_peek),
		cmocka_unit_test(test_addresses_rewritten_after_they_were_judged),
		cmocka_unit_test(test_receive_descriptor_rewritten_after_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
