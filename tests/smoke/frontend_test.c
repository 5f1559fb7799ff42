/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front-end library against a back-end that is not ours: dpdk-testpmd with two net_vhost ports
 * that hands every frame from one to the other. Each ring layout carries frames of many sizes both
 * ways, byte for byte, on every queue pair; testpmd serves the sockets, then connects to ours.
 *
 *   frontend_test PATH-OF-DPDK-TESTPMD
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "frontend/channel.h"
#include "frontend/frontend.h"

#define SKIPPED         77 /* exit code that meson knows */
#define QUEUE_PAIRS     2
#define FRAME_MAX       9018
#define ROUND_MS        5000
#define FRAMES_PER_SIZE 40

#define MERGEABLE (1ull << VIRTIO_NET_F_MRG_RXBUF)
#define EVENT     (1ull << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define IN_ORDER  (1ull << VIRTIO_F_IN_ORDER)
#define PACKED    (1ull << VIRTIO_F_RING_PACKED)

struct layout {
	const char *name;
	struct tp_frontend_settings settings;
	size_t frame_max; /* without mergeable buffers a frame must fit one */
};

static const struct layout layouts[] = {
	{"plain", {.features = 0}, 1518},
	{"mergeable", {.features = MERGEABLE}, FRAME_MAX},
	{"small buffers, two regions",
		{.features = MERGEABLE, .buffer_size = 256, .two_regions = true}, 256},
	{"header apart", {.header_apart = true}, 1518},
	{"event index, interrupts", {.features = MERGEABLE | EVENT, .interrupts = true}, 1518},
	{"interrupts by flag", {.features = MERGEABLE, .interrupts = true}, 1518},
	{"indirect", {.features = INDIRECT, .indirect_tables = true, .header_apart = true}, 1518},
	{"in order, ring of 1024", {.features = MERGEABLE | IN_ORDER, .ring_size = 1024}, 1518},
	{"in order, indirect, three segments",
		{.features = IN_ORDER | INDIRECT, .indirect_tables = true, .segments = 3}, 1518},
	{"four segments", {.segments = 4}, 1518},
	{"four segments, mergeable, header apart",
		{.features = MERGEABLE, .segments = 4, .header_apart = true}, 1518},
	{"packed", {.features = PACKED}, 1518},
	{"packed, mergeable, small buffers, no calls",
		{.features = PACKED | MERGEABLE, .buffer_size = 256, .no_calls = true}, 256},
	{"packed, in order, mergeable",
		{.features = PACKED | IN_ORDER | MERGEABLE, .ring_size = 1024}, 1518},
	{"packed, header apart, three segments",
		{.features = PACKED, .header_apart = true, .segments = 3}, 1518},
	{"packed, indirect, event index, interrupts",
		{.features = PACKED | INDIRECT | EVENT | MERGEABLE,
			.indirect_tables = true,
			.segments = 2,
			.interrupts = true},
		1518},
	{"packed, interrupts by flag", {.features = PACKED, .interrupts = true}, 1518},
	{"jumbo, all together",
		{.features = MERGEABLE | EVENT | INDIRECT,
			.buffer_size = 9216,
			.indirect_tables = true,
			.header_apart = true,
			.segments = 3,
			.interrupts = true,
			.two_regions = true},
		FRAME_MAX},
};

static char directory[] = "/tmp/frontend_test.XXXXXX";
static char paths[2][sizeof(directory) + 8];

/* --- testpmd, started here and ended here by its id --- */

static pid_t testpmd = -1;
static int testpmd_input = -1;

static void start_testpmd(const char *program, bool client)
{
	char device[2][sizeof(paths[0]) + 64];
	char log[sizeof(directory) + 16];
	int input[2];

	snprintf(log, sizeof(log), "%s/testpmd.log", directory);
	for (int i = 0; i < 2; i++)
		snprintf(device[i], sizeof(device[i]), "--vdev=net_vhost%d,iface=%s,queues=%d%s", i,
			paths[i], QUEUE_PAIRS, client ? ",client=1" : "");
	if (pipe2(input, O_CLOEXEC) < 0)
		exit(SKIPPED);
	testpmd = fork();
	if (testpmd == 0) {
		int output = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(input[0], STDIN_FILENO);
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
		execl(program, "dpdk-testpmd", "--no-pci", "--no-huge", "--no-telemetry",
			"--no-shconf", "-m", "256", "--lcores=0@0-1,1@0-1", device[0], device[1],
			"--", "--auto-start", "--forward-mode=io", "--rxq=2", "--txq=2",
			"--total-num-mbufs=8192", "--disable-link-check", NULL);
		_exit(127);
	}
	close(input[0]);
	testpmd_input = input[1];
}

static void stop_testpmd(void)
{
	if (testpmd <= 0)
		return;
	close(testpmd_input);
	kill(testpmd, SIGTERM);
	for (int i = 0; i < 500 && waitpid(testpmd, NULL, WNOHANG) == 0; i++)
		usleep(10000);
	if (kill(testpmd, 0) == 0) {
		kill(testpmd, SIGKILL);
		waitpid(testpmd, NULL, 0);
	}
	testpmd = -1;
}

static void remove_directory(void)
{
	char log[sizeof(directory) + 16];

	snprintf(log, sizeof(log), "%s/testpmd.log", directory);
	unlink(log);
	unlink(paths[0]);
	unlink(paths[1]);
	rmdir(directory);
}

static void clean_up(void)
{
	stop_testpmd();
	remove_directory();
}

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("FAIL: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

/* --- frames --- */

static void make_frame(uint8_t *frame, size_t length, unsigned seed)
{
	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
	frame[0] &= 0xfe; /* a unicast destination */
}

static void expect_frame(
	struct tp_frontend *to, unsigned queue_pair, const uint8_t *expected, size_t length)
{
	uint8_t received[FRAME_MAX + 1];
	struct virtio_net_hdr_v1 header;
	struct tp_error error;
	int count = tp_frontend_receive(
		to, queue_pair, &header, received, sizeof(received), ROUND_MS, &error);

	if (count == -EAGAIN)
		fail("%zu bytes on pair %u did not arrive", length, queue_pair);
	if (count < 0)
		fail("%zu bytes on pair %u: %s", length, queue_pair, error.text);
	if ((size_t)count != length)
		fail("%zu bytes on pair %u arrived as %d", length, queue_pair, count);
	if (memcmp(received, expected, length) != 0)
		fail("%zu bytes on pair %u arrived changed", length, queue_pair);
}

/* Frames of one size, several on their way at a time; more than a ring holds in all. */
static void carry(
	struct tp_frontend *from, struct tp_frontend *to, unsigned queue_pair, size_t length)
{
	uint8_t frame[4][FRAME_MAX];
	struct tp_error error;

	for (unsigned round = 0; round < FRAMES_PER_SIZE / 4; round++) {
		for (unsigned i = 0; i < 4; i++) {
			int status;

			make_frame(frame[i], length, round * 4 + i);
			status = tp_frontend_send(from, queue_pair, NULL, frame[i], length, &error);
			if (status < 0)
				fail("send %zu bytes: %s", length,
					status == -EPROTO ? error.text : strerror(-status));
		}
		for (unsigned i = 0; i < 4; i++)
			expect_frame(to, queue_pair, frame[i], length);
	}
}

/* A back-end that has just seen its rings may throw away what comes before it polls them. */
static void wait_for_path(struct tp_frontend *from, struct tp_frontend *to, unsigned queue_pair)
{
	uint8_t probe[60], received[FRAME_MAX];
	struct tp_error error;

	make_frame(probe, sizeof(probe), 1);
	for (int i = 0; i < 100; i++) {
		tp_frontend_send(from, queue_pair, NULL, probe, sizeof(probe), &error);
		if (tp_frontend_receive(
			    to, queue_pair, NULL, received, sizeof(received), 50, &error) > 0)
			break;
	}
	while (tp_frontend_receive(to, queue_pair, NULL, received, sizeof(received), 100, &error) >
		0)
		;
}

static void carry_sizes(struct tp_frontend **guests, size_t frame_max)
{
	static const size_t sizes[] = {14, 60, 64, 65, 128, 244, 256, 1000, 1514, 1518, 3000, 9018};

	for (unsigned pair = 0; pair < QUEUE_PAIRS; pair++) {
		for (unsigned from = 0; from < 2; from++) {
			wait_for_path(guests[from], guests[!from], pair);
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				if (sizes[i] <= frame_max)
					carry(guests[from], guests[!from], pair, sizes[i]);
			}
		}
	}
}

static void try_layout(const struct layout *layout, bool serve)
{
	struct tp_frontend_settings settings[2] = {layout->settings, layout->settings};
	struct tp_frontend *guests[2];
	struct tp_error error;
	uint64_t elapsed;

	for (unsigned i = 0; i < 2; i++) {
		settings[i].path = paths[i];
		settings[i].serve = serve;
		settings[i].queue_pairs = QUEUE_PAIRS;
		if (settings[i].buffer_size == 0 && layout->frame_max > 2048)
			settings[i].buffer_size = (uint32_t)layout->frame_max;
	}
	if (tp_frontend_attach_many(settings, 2, guests, !serve, &elapsed, &error) < 0)
		fail("%s: %s", layout->name, error.text);
	printf("%s: attached in %.1f ms\n", layout->name, (double)elapsed / 1e6);
	carry_sizes(guests, layout->frame_max);
	for (unsigned i = 0; i < 2; i++) {
		if (tp_frontend_stop(guests[i], &error) < 0)
			fail("%s: %s", layout->name, error.text);
		tp_frontend_free(guests[i]);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2 || access(argv[1], X_OK) < 0) {
		fprintf(stderr, "usage: frontend_test PATH-OF-DPDK-TESTPMD\n");
		return SKIPPED;
	}
	setlinebuf(stdout);
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(directory) == NULL)
		return 1;
	for (int i = 0; i < 2; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%d.sock", directory, i);
	atexit(clean_up);
	start_testpmd(argv[1], false);
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		try_layout(&layouts[i], false);
	stop_testpmd();
	start_testpmd(argv[1], true);
	for (size_t i = 0; i < 2; i++)
		try_layout(&layouts[i], true);
	return 0;
}
