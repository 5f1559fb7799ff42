/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "switch_scene.h"

/* A worker in a thread of its own: what it may do, and under which configuration it does it. */

static struct scene scene;
static uint8_t received[65536];
static atomic_bool both_seen;

static void pump(unsigned from, unsigned to, unsigned rounds)
{
	for (unsigned n = 0; n < rounds; n++) {
		scene_send_number(&scene.guest[from], scene.guest[to].mac, n, 60);
		scene_sweep(&scene);
		scene_receive(&scene.guest[to], received);
	}
}

/* Nothing but the end of the process. Strict seccomp would forbid the time-stamp counter as well.
 */
static void forbid_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = {.len = 4, .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		syscall(SYS_exit, 3);
}

/* In a child. Guests that poll are never called. */
static void pump_without_system_calls(void)
{
	struct mallinfo2 before = mallinfo2();

	forbid_system_calls();
	pump(0, 1, 100000);
	scene_send_number(&scene.guest[0], TP_MAC_MASK, 0, 60);
	scene_sweep(&scene);
	syscall(SYS_exit, mallinfo2().uordblks == before.uordblks ? 0 : 4);
}

static void test_dataplane_makes_no_system_call(void **state)
{
	const struct scene_options options = {.guests = 3, .flood_unknown = true};
	int status;
	pid_t child;

	(void)state;
	scene_begin(&scene, &options);
	child = fork();
	if (child == 0)
		pump_without_system_calls();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(WEXITSTATUS(status), 0);
	scene_end(&scene);
}

static void *run_worker(void *argument)
{
	tp_worker_run(argument);
	return NULL;
}

/*
 * Two configurations that differ in two ways at once: which source MAC guest 0 may use, and where
 * the destination MAC leads. Under the first a frame from MAC 0 to MAC 9 reaches guest 1; under the
 * second a frame from MAC 8 to MAC 9 reaches guest 2. Any other arrival has seen half of each.
 */
static struct tp_snapshot *configuration(bool second)
{
	struct tp_snapshot *snapshot;

	snapshot = tp_snapshot_new(1, 1, 3, SOCKET_ID_ANY, NULL);
	assert_non_null(snapshot);
	snapshot->tenants[0].interface_count = 3;
	for (unsigned i = 0; i < 3; i++)
		snapshot->interfaces[i] = (struct tp_interface){
			.mac = scene_mac(20 + i),
			.context = scene.guest[i].context,
			.source_mac_check = true,
		};
	snapshot->interfaces[0].mac = scene_mac(second ? 8 : 0);
	snapshot->interfaces[second ? 2 : 1].mac = scene_mac(9);
	snapshot->classes[0].drop_when_full = true;
	assert_int_equal(tp_snapshot_seal(snapshot, SOCKET_ID_ANY, NULL), 0);
	return snapshot;
}

/* A thousand times, and on a busy machine as often as it takes until both have been seen at work.
 */
static void *publish_in_turn(void *argument)
{
	atomic_bool *done = argument;

	for (unsigned n = 0; n < 1000 || (n < 50000 && atomic_load(&both_seen) == false); n++)
		tp_dataplane_publish_snapshot(scene.dataplane, configuration(n % 2 == 1));
	atomic_store(done, true);
	return NULL;
}

static unsigned check_arrivals(unsigned guest, unsigned allowed_source)
{
	unsigned count = 0;

	for (; scene_receive(&scene.guest[guest], received) > 0; count++)
		assert_int_equal(tp_mac_load(received + 6), scene_mac(allowed_source));
	return count;
}

static void test_each_frame_sees_one_configuration(void **state)
{
	const struct scene_options options = {.guests = 3};
	atomic_bool done = false;
	unsigned arrived[3] = {0};
	pthread_t publisher;
	pthread_t worker;

	(void)state;
	scene_begin(&scene, &options);
	tp_dataplane_publish_snapshot(scene.dataplane, configuration(false));
	assert_int_equal(pthread_create(&worker, NULL, run_worker, scene.worker), 0);
	assert_int_equal(pthread_create(&publisher, NULL, publish_in_turn, &done), 0);
	while (!atomic_load(&done)) {
		uint8_t frame[60] = {0};

		scene_header(frame, scene_mac(9), scene_mac(0));
		scene_send(&scene.guest[0], frame, sizeof(frame));
		scene_header(frame, scene_mac(9), scene_mac(8));
		scene_send(&scene.guest[0], frame, sizeof(frame));
		arrived[1] += check_arrivals(1, 0);
		arrived[2] += check_arrivals(2, 8);
		atomic_store(&both_seen, arrived[1] > 0 && arrived[2] > 0);
	}
	pthread_join(publisher, NULL);
	tp_dataplane_stop(scene.dataplane);
	pthread_join(worker, NULL);
	assert_true(arrived[1] > 0 && arrived[2] > 0);
	scene_end(&scene);
}

static void claim_source(uint64_t mac)
{
	for (unsigned i = 0; i < SCENE_RING; i++)
		memcpy(scene.guest[0].tx_buffer[i] + TP_NET_HEADER + 6, &mac, 6);
	__asm__ volatile("" ::: "memory");
}

static void *rewrite_frame(void *argument)
{
	atomic_bool *done = argument;

	while (!atomic_load(done)) {
		claim_source(scene.guest[2].mac); /* not allowed */
		claim_source(scene.guest[0].mac);
	}
	return NULL;
}

static void test_frame_rewritten_while_it_is_forwarded(void **state)
{
	const struct scene_options options = {.guests = 3};
	atomic_bool done = false;
	unsigned delivered = 0;
	unsigned refused;
	pthread_t rewriter;

	(void)state;
	scene_begin(&scene, &options);
	for (unsigned i = 0; i < SCENE_RING; i++) /* so that every buffer holds a frame */
		scene_send_number(&scene.guest[0], scene.guest[1].mac, i, 60);
	assert_int_equal(pthread_create(&rewriter, NULL, rewrite_frame, &done), 0);
	for (unsigned n = 0; n < 30000; n++) {
		scene_sweep(&scene);
		for (; scene_receive(&scene.guest[1], received) > 0; delivered++) {
			assert_int_equal(tp_mac_load(received), scene.guest[1].mac);
			assert_int_equal(tp_mac_load(received + 6), scene.guest[0].mac);
		}
		while (guest_returned(&scene.guest[0].tx) > 0)
			guest_post(&scene.guest[0].tx, (uint16_t)guest_take(&scene.guest[0].tx).id);
	}
	atomic_store(&done, true);
	pthread_join(rewriter, NULL);
	refused = (unsigned)scene_drops(&scene.guest[0], TP_DROP_SOURCE_MAC);
	print_message("%u delivered, %u refused\n", delivered, refused);
	assert_true(delivered > 0 && refused > 0);
	scene_end(&scene);
}

/* The switch's mapping of a guest's memory is made anew; who still uses the old one faults. */
static void map_again(struct guest *guest)
{
	struct tp_guest_region_request request = {
		.guest_address = GUEST_ADDRESS,
		.size = guest->size,
		.user_address = (uintptr_t)guest->base,
	};

	tp_guest_memory_free(guest->memory);
	guest->memory = tp_guest_memory_add(NULL, &request, guest->fd, NULL);
	assert_non_null(guest->memory);
}

static void stop_and_start(unsigned number, const struct scene_options *options)
{
	struct scene_guest *guest = &scene.guest[number];
	struct tp_vring *rx = &guest->context->pair[0].rx;

	tp_vring_retire(rx);
	scene_stop(&scene, number);
	tp_vring_stop(rx);
	map_again(&guest->memory);
	assert_int_equal(tp_vring_start(rx, &guest->rx.setup, guest->memory.memory, NULL), 0);
	scene_start(&scene, number, options);
}

static void test_rings_stop_and_start_under_traffic(void **state)
{
	const struct scene_options options = {.guests = 2};
	uint64_t expected = 0;
	uint64_t sent = 0;
	pthread_t worker;

	(void)state;
	scene_begin(&scene, &options);
	assert_int_equal(pthread_create(&worker, NULL, run_worker, scene.worker), 0);
	for (unsigned n = 0; n < 1000 || (n < 20000 && expected <= 1000); n++) {
		while (scene_send_number(&scene.guest[0], scene.guest[1].mac, sent, 1500))
			sent++;
		stop_and_start(n % 2, &options);
		while (scene_receive(&scene.guest[1], received) > 0)
			assert_true(scene_number(received) >= expected++);
	}
	tp_dataplane_stop(scene.dataplane);
	pthread_join(worker, NULL);
	scene_check_sums(&scene);
	assert_true(scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED) > 1000);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dataplane_makes_no_system_call),
		cmocka_unit_test(test_each_frame_sees_one_configuration),
		cmocka_unit_test(test_frame_rewritten_while_it_is_forwarded),
		cmocka_unit_test(test_rings_stop_and_start_under_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
