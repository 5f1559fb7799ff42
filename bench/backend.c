/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turnpike-bench-backend: a vhost-user back-end that is no switch. It copies from device 0 to 1 and
 * back (2 and 3, ...), the ceiling of what a switch can reach; or only takes frames, or only gives
 * them, to see what a load generator can do; or cheats, to see whether the generator notices.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "base/log.h"

#define FEATURES                                                                                   \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF |                             \
		1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_F_IN_ORDER)

struct settings {
	const char *path;
	unsigned count;
	bool client;
	int core, control_core;
	double hang_up_after,
		nonsense_after; /* seconds after the first device is there; 0: never */
	bool again;
	enum nonsense nonsense;
};

static struct settings settings = {.count = 2, .core = -1, .control_core = -1};
static struct backend backend;
static volatile sig_atomic_t asked, ended;
static double ready_at; /* when the first ring was started */

enum key {
	KEY_COUNT = 256,
	KEY_CLIENT,
	KEY_MODE,
	KEY_MAC,
	KEY_CORE,
	KEY_CONTROL_CORE,
	KEY_DROP,
	KEY_DUPLICATE,
	KEY_REORDER,
	KEY_CORRUPT,
	KEY_MISDELIVER,
	KEY_STALL,
	KEY_HANG_UP,
	KEY_NONSENSE,
};

static const struct argp_option option_list[] = {
	{"socket", 's', "PATH", 0, "Socket of a device, with %d for its number", 0},
	{"count", KEY_COUNT, "N", 0, "Devices (2)", 0},
	{"client", KEY_CLIENT, NULL, 0, "Connect to sockets that the front-end serves", 0},
	{"mode", KEY_MODE, "M", 0, "copy, sink or source (copy)", 0},
	{"look-up", KEY_MAC, "MAC", 0, "copy: find the device by MAC; that of device 0", 0},
	{"core", KEY_CORE, "CPU", 0, "Of the thread that moves frames", 0},
	{"control-core", KEY_CONTROL_CORE, "CPU", 0, "Of the other thread", 0},
	{"drop-every", KEY_DROP, "N", 0, "Cheat: lose each N-th frame", 1},
	{"duplicate-every", KEY_DUPLICATE, "N", 0, "Cheat: deliver it twice", 1},
	{"reorder-every", KEY_REORDER, "N", 0, "Cheat: deliver it after the next one", 1},
	{"corrupt-every", KEY_CORRUPT, "N", 0, "Cheat: change a bit of its last byte", 1},
	{"misdeliver-every", KEY_MISDELIVER, "N", 0, "Cheat: give it to another device", 1},
	{"stall-every", KEY_STALL, "S:MS", 0, "Cheat: rest MS ms every S seconds", 1},
	{"hang-up-after", KEY_HANG_UP, "S[:again]", 0, "Hang up; again: and serve on", 1},
	{"nonsense-after", KEY_NONSENSE, "S:KIND", 0,
		"Write nonsense: used_index, used_id, used_length, num_buffers", 1},
	{0},
};

static double read_real(struct argp_state *state, const char *text, char end_with, char **end)
{
	double value = strtod(text, end);

	if (*end == text || !(value > 0) || (**end != '\0' && **end != end_with))
		argp_error(state, "found \"%s\"; accepted: a number above 0", text);
	return value;
}

static uint64_t read_whole(struct argp_state *state, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		argp_error(state, "found \"%s\"; accepted: a whole number", text);
	return value;
}

static int find(struct argp_state *state, const char *text, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], text) == 0)
			return i;
	}
	argp_error(state, "found \"%s\"; accepted: %s and others, see --help", text, names[0]);
	return 0;
}

static void read_fault(int key, char *text, struct argp_state *state)
{
	static const char *const kinds[] = {"used_index", "used_id", "used_length", "num_buffers"};
	char *end;
	double seconds = read_real(state, text, ':', &end);

	if (key == KEY_STALL) {
		backend.cheats.stall_every = seconds;
		backend.cheats.stall_ms = *end == ':' ? read_real(state, end + 1, 0, &end) : 10;
	} else if (key == KEY_HANG_UP) {
		settings.hang_up_after = seconds;
		settings.again = strcmp(end, ":again") == 0;
	} else {
		settings.nonsense_after = seconds;
		settings.nonsense =
			(enum nonsense)(1 + find(state, *end == ':' ? end + 1 : "", kinds, 4));
	}
}

static void read_mac(struct argp_state *state, const char *text)
{
	unsigned byte[6];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &byte[0], &byte[1], &byte[2], &byte[3],
		    &byte[4], &byte[5]) != 6)
		argp_error(state, "found \"%s\"; accepted: a MAC", text);
	for (unsigned i = 0; i < 6; i++)
		backend.first_mac = backend.first_mac << 8 | byte[i];
	backend.look_up = true;
}

static error_t read_option(int key, char *text, struct argp_state *state)
{
	static const char *const modes[] = {"copy", "sink", "source"};

	switch (key) {
	case 's':
		settings.path = text;
		break;
	case KEY_COUNT:
		settings.count = (unsigned)read_whole(state, text);
		break;
	case KEY_CLIENT:
		settings.client = true;
		break;
	case KEY_MODE:
		backend.mode = (enum mode)find(state, text, modes, 3);
		break;
	case KEY_MAC:
		read_mac(state, text);
		break;
	case KEY_CORE:
		settings.core = (int)read_whole(state, text);
		break;
	case KEY_CONTROL_CORE:
		settings.control_core = (int)read_whole(state, text);
		break;
	case KEY_DROP:
		backend.cheats.drop = read_whole(state, text);
		break;
	case KEY_DUPLICATE:
		backend.cheats.duplicate = read_whole(state, text);
		break;
	case KEY_REORDER:
		backend.cheats.reorder = read_whole(state, text);
		break;
	case KEY_CORRUPT:
		backend.cheats.corrupt = read_whole(state, text);
		break;
	case KEY_MISDELIVER:
		backend.cheats.misdeliver = read_whole(state, text);
		break;
	case KEY_STALL:
	case KEY_HANG_UP:
	case KEY_NONSENSE:
		read_fault(key, text, state);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "found \"%s\"; accepted: options", text);
		break;
	case ARGP_KEY_END:
		if (settings.path == NULL || strstr(settings.path, "%d") == NULL)
			argp_error(state, "--socket: a path with %%d is needed");
		if (settings.count < 2 || settings.count % 2 != 0 || settings.count > 8192)
			argp_error(state, "--count: an even number from 2 to 8192 is needed");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* --- what the endpoints tell --- */

static void hold(void)
{
	atomic_store(&backend.held, false);
	atomic_store(&backend.hold, true);
	while (!atomic_load(&backend.held) && !atomic_load(&backend.stop))
		sched_yield();
}

static void go_on(void)
{
	atomic_store_explicit(&backend.hold, false, memory_order_release);
}

static void on_connected(void *owner, const struct tp_unix_peer *peer)
{
	(void)owner;
	(void)peer;
}

static double now(void)
{
	return (double)tp_loop_now_ms() / 1e3;
}

static int on_ring_start(void *owner, unsigned number, const struct tp_vhost_ring *ring,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error)
{
	struct device *device = owner;
	int status;

	hold();
	status = ring_begin(&device->ring[number], ring, memory, features, error);
	if (status < 0)
		ring_end(&device->ring[number]);
	go_on();
	if (ready_at == 0)
		ready_at = now();
	return status;
}

static uint16_t on_ring_stop(void *owner, unsigned number)
{
	struct device *device = owner;
	uint16_t next;

	hold();
	next = device->ring[number].next;
	ring_end(&device->ring[number]);
	go_on();
	return next;
}

static void on_mtu_set(void *owner, uint16_t mtu)
{
	(void)owner;
	(void)mtu;
}

static void on_announce(void *owner, const uint8_t mac[6])
{
	(void)owner;
	(void)mac;
}

static void on_disconnected(void *owner, const char *reason)
{
	(void)owner;
	(void)reason;
}

static const struct tp_vhost_ops ops = {.connected = on_connected,
	.ring_start = on_ring_start,
	.ring_stop = on_ring_stop,
	.mtu_set = on_mtu_set,
	.announce = on_announce,
	.disconnected = on_disconnected};

static int open_all(struct tp_loop *loop, struct tp_error *error)
{
	const char *place = strstr(settings.path, "%d");

	for (unsigned i = 0; i < backend.count; i++) {
		char path[256], name[32];
		struct tp_vhost_settings endpoint = {.name = name,
			.path = path,
			.client = settings.client,
			.queue_pairs = TP_VHOST_QUEUE_PAIRS_MAX,
			.device_features = FEATURES,
			.ops = &ops,
			.owner = &backend.devices[i]};

		snprintf(name, sizeof(name), "device %u", i);
		snprintf(path, sizeof(path), "%.*s%u%s", (int)(place - settings.path),
			settings.path, i, place + 2);
		backend.devices[i].endpoint = tp_vhost_open(loop, &endpoint, error);
		if (backend.devices[i].endpoint == NULL)
			return -EINVAL;
	}
	return 0;
}

static void close_all(void)
{
	for (unsigned i = 0; i < backend.count; i++) {
		tp_vhost_close(backend.devices[i].endpoint);
		backend.devices[i].endpoint = NULL;
	}
}

static void print_counters(void)
{
	struct counters *counters = &backend.counters;
	json_t *value = json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"devices", (int)backend.count, "rx", (json_int_t)counters->rx, "tx",
		(json_int_t)counters->tx, "dropped", (json_int_t)counters->dropped, "duplicated",
		(json_int_t)counters->duplicated, "reordered", (json_int_t)counters->reordered,
		"corrupted", (json_int_t)counters->corrupted, "misdelivered",
		(json_int_t)counters->misdelivered, "waits", (json_int_t)counters->waits, "stalls",
		(json_int_t)counters->stalls, "stall_longest_us",
		(json_int_t)counters->stall_longest_us);
	char *text = json_dumps(value, JSON_COMPACT);

	puts(text != NULL ? text : "{}");
	fflush(stdout);
	free(text);
	json_decref(value);
}

static void do_faults(void)
{
	double passed = now() - ready_at;

	if (ready_at == 0)
		return;
	if (settings.nonsense_after > 0 && passed >= settings.nonsense_after) {
		settings.nonsense_after = 0;
		atomic_store(&backend.nonsense, settings.nonsense);
	}
	if (settings.hang_up_after > 0 && passed >= settings.hang_up_after) {
		settings.hang_up_after = 0;
		for (unsigned i = 0; settings.again && i < backend.count; i++)
			tp_vhost_condemn(backend.devices[i].endpoint, "told to hang up");
		if (!settings.again)
			close_all();
	}
}

static void on_signal(int number)
{
	if (number == SIGUSR1)
		asked = 1;
	else
		ended = 1;
}

static void pin(pthread_t thread, int core)
{
	cpu_set_t set;

	if (core < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)core, &set);
	if (pthread_setaffinity_np(thread, sizeof(set), &set) != 0) {
		fprintf(stderr, "turnpike-bench-backend: cannot run on CPU %d\n", core);
		exit(1);
	}
}

static void serve(struct tp_loop *loop)
{
	puts("{\"ready\":true}");
	fflush(stdout);
	while (!ended) {
		tp_loop_step(loop, 20);
		do_faults();
		if (asked) {
			asked = 0;
			print_counters();
		}
	}
}

int main(int argc, char **argv)
{
	static const struct argp parser = {option_list, read_option, NULL,
		"A vhost-user back-end that copies frames between pairs of devices, and no switch.",
		NULL, NULL, NULL};
	struct sigaction action = {.sa_handler = on_signal};
	struct tp_error error = {{0}};
	struct tp_loop *loop;
	pthread_t frames;

	argp_err_exit_status = 2;
	argp_parse(&parser, argc, argv, 0, NULL, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	tp_log_set_level(TP_LOG_ERROR);
	backend.count = settings.count;
	backend.devices = calloc(backend.count, sizeof(*backend.devices));
	rings_prepare(&backend);
	loop = tp_loop_new(&error);
	if (backend.devices == NULL || loop == NULL ||
		pthread_create(&frames, NULL, rings_run, &backend) != 0)
		return 1;
	pin(frames, settings.core);
	pin(pthread_self(), settings.control_core);
	if (open_all(loop, &error) < 0)
		fprintf(stderr, "turnpike-bench-backend: %s\n", error.text);
	else
		serve(loop);
	close_all();
	atomic_store(&backend.stop, true);
	pthread_join(frames, NULL);
	if (ended)
		print_counters();
	tp_loop_free(loop);
	free(backend.devices);
	return ended ? 0 : 1;
}
