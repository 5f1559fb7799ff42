/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

const char *argp_program_version = "turnpike-guest " TP_VERSION;

static const char help[] =
	"Play virtio-net devices on a switch that speaks vhost-user, load it, and measure it.\v"
	"Behind \"--\", options as testpmd names them:\n"
	"  --forward-mode=M  io, mac, macswap, txonly, rxonly, flowgen (default), 5tswap, "
	"icmpecho\n"
	"  --txpkts=X[,Y]    bytes of each segment of a frame sent\n"
	"  --burst=N         most frames of a device in one go (32)\n"
	"  --rxq=N --txq=N   queue pairs (1)\n"
	"  --rxd=N --txd=N   descriptors of a ring (256)\n"
	"  --nb-cores=N      threads (1)\n"
	"  --port-topology=T paired (default) or loop: where forwarding modes send to\n"
	"  --stats-period=S  show statistics every S seconds\n"
	"  --auto-start, -a  start at once (without -i: always)\n"
	"  --tx-first        forwarding modes: send a burst first\n"
	"  --interactive, -i read commands: start, stop, show, set, run, search, help, quit\n"
	"\n"
	"Exit code: 0 done, 1 the run failed, 2 wrong usage.";

enum key {
	KEY_COUNT = 256,
	KEY_FIRST,
	KEY_CONFIG,
	KEY_TENANT,
	KEY_GROUP,
	KEY_MAC,
	KEY_PACKED,
	KEY_IN_ORDER,
	KEY_NO_MERGEABLE,
	KEY_INDIRECT,
	KEY_EVENT_INDEX,
	KEY_INTERRUPTS,
	KEY_HUGE,
	KEY_TWO_REGIONS,
	KEY_FRAME_OFFSET,
	KEY_BUFFER_SIZE,
	KEY_RECONNECT,
	KEY_CORES,
	KEY_ONE_BY_ONE,
	KEY_TIMEOUT,
	KEY_RATE,
	KEY_ARRIVAL,
	KEY_SIZE,
	KEY_TALK,
	KEY_TALKING,
	KEY_CHURN,
	KEY_SEED,
	KEY_VERIFY,
	KEY_DEAF,
	KEY_SLOW,
	KEY_LEAVE,
	KEY_SECONDS,
	KEY_WARM_UP,
	KEY_SEARCH,
	KEY_TRIAL,
	KEY_JSON,
	KEY_PER_DEVICE,
	KEY_PER_FLOW,
};

static const struct argp_option option_list[] = {
	{NULL, 0, NULL, 0, "Devices:", 1},
	{"socket", 's', "PATH", 0, "Socket of a device; may be repeated; with %d for many", 1},
	{"count", KEY_COUNT, "N", 0, "Devices of a PATH with %d (2)", 1},
	{"first", KEY_FIRST, "N", 0, "Number of the first of them (0)", 1},
	{"server", 'S', NULL, 0, "Serve the sockets for a switch that connects", 1},
	{"config", KEY_CONFIG, "FILE", 0, "Play the interfaces of a turnpike configuration", 1},
	{"tenant", KEY_TENANT, "NAME", 0, "Of this tenant", 1},
	{"group", KEY_GROUP, "NAME=LIST", 0,
		"Devices counted together; their load may be their own; may be repeated", 1},
	{"mac", KEY_MAC, "MAC", 0, "Of device 0, counted up (02:00:00:00:00:01)", 1},
	{"packed", KEY_PACKED, NULL, 0, "Packed rings", 1},
	{"in-order", KEY_IN_ORDER, NULL, 0, "Ask for buffers used in order", 1},
	{"no-mergeable", KEY_NO_MERGEABLE, NULL, 0, "A received frame fits one buffer", 1},
	{"indirect", KEY_INDIRECT, NULL, 0, "Chains in indirect tables", 1},
	{"event-index", KEY_EVENT_INDEX, NULL, 0, "Notifications by index", 1},
	{"interrupts", KEY_INTERRUPTS, NULL, 0, "Ask for used buffer notifications", 1},
	{"huge", KEY_HUGE, NULL, 0, "Memory in 2 MiB pages", 1},
	{"two-regions", KEY_TWO_REGIONS, NULL, 0, "Rings and buffers in regions apart", 1},
	{"frame-offset", KEY_FRAME_OFFSET, "N", 0,
		"Of a frame in its buffer: 12 as in Linux's driver (12), 64 as in DPDK's", 1},
	{"buffer-size", KEY_BUFFER_SIZE, "N", 0, "Bytes of frame in a buffer (2048)", 1},
	{"reconnect", KEY_RECONNECT, NULL, 0, "Come back when the switch hangs up", 1},
	{"cores", KEY_CORES, "LIST", 0, "CPU of each thread, such as 1,3-4", 1},
	{"attach-one-by-one", KEY_ONE_BY_ONE, NULL, 0, "A handshake at a time", 1},
	{"timeout", KEY_TIMEOUT, "S", 0, "Longest wait for the switch in each step (10)", 1},
	{NULL, 0, NULL, 0, "Load:", 2},
	{"rate", KEY_RATE, "R", 0,
		"full, none, or 100kpps, 1Mpps/total, 500Mbit/s/device (full); [GROUP=] before it",
		2},
	{"arrival", KEY_ARRIVAL, "A", 0, "constant, poisson, on-off:10ms,90ms (constant); [GROUP=]",
		2},
	{"size", KEY_SIZE, "BYTES", 0, "64, 64-1514, imix, or segments 64,128 (64); [GROUP=]", 2},
	{"talk", KEY_TALK, "T", 0, "pairs, star, all, wheel, random, random:SKEW (pairs)", 2},
	{"talking", KEY_TALKING, "N", 0, "Devices that send at a time (all)", 2},
	{"churn", KEY_CHURN, "S", 0, "Others send after S seconds", 2},
	{"seed", KEY_SEED, "N", 0, "Of the random numbers (1)", 2},
	{"verify", KEY_VERIFY, "V", 0, "burst, stamp, or payload (stamp)", 2},
	{"deaf", KEY_DEAF, "LIST", 0, "Devices that take no frame, such as 0,3-5", 2},
	{"slow", KEY_SLOW, "LIST:FPS", 0, "Devices that take FPS frames a second", 2},
	{"leave", KEY_LEAVE, "LIST:EVERY,FOR", 0, "Devices that leave EVERY s FOR s", 2},
	{NULL, 0, NULL, 0, "Run:", 3},
	{"seconds", KEY_SECONDS, "S", 0, "Time measured (until Ctrl-C)", 3},
	{"warm-up", KEY_WARM_UP, "S", 0, "Time before it (0.2)", 3},
	{"search", KEY_SEARCH, "GOAL", 0, "Search the rate: ndr, or pdr:PERCENT", 3},
	{"trial", KEY_TRIAL, "S", 0, "Time of each trial of a search (1)", 3},
	{"json", KEY_JSON, NULL, 0, "Results as JSON, one line each", 3},
	{"per-device", KEY_PER_DEVICE, NULL, 0, "Figures of each device", 3},
	{"per-flow", KEY_PER_FLOW, NULL, 0, "What became of each flow's frames", 3},
	{0},
};

unsigned options_number(
	struct argp_state *state, const char *name, const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < least || number > most)
		argp_error(
			state, "--%s: found \"%s\"; accepted: %u to %u", name, text, least, most);
	return (unsigned)number;
}

static double read_real(
	struct argp_state *state, const char *name, const char *text, double least, double most)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end != '\0' || !(number >= least && number <= most))
		argp_error(
			state, "--%s: found \"%s\"; accepted: %g to %g", name, text, least, most);
	return number;
}

static void read_mac(struct argp_state *state, const char *text, uint8_t mac[6])
{
	unsigned byte[6];
	int length = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3],
		    &byte[4], &byte[5], &length) != 6 ||
		text[length] != '\0' || byte[0] & 1)
		argp_error(state,
			"--mac: found \"%s\"; accepted: a unicast MAC such as "
			"02:00:00:00:00:01",
			text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
}

static void read_goal(struct argp_state *state, const char *text, struct options *options)
{
	options->search = true;
	if (strcmp(text, "ndr") == 0)
		return;
	options->goal.partial = true;
	if (strncmp(text, "pdr:", 4) != 0)
		argp_error(state, "--search: found \"%s\"; accepted: ndr, pdr:PERCENT", text);
	options->goal.percent = read_real(state, "search", text + 4, 0, 100);
}

/* @return the list, which may have moved. */
static const char **add_text(const char **list, unsigned *count, const char *text)
{
	list = realloc(list, (*count + 1) * sizeof(*list));
	if (list == NULL)
		exit(EXIT_FAILED);
	list[(*count)++] = text;
	return list;
}

/* An option that stands in struct options as it is. */
struct plain_option {
	int key;
	size_t place; /* in struct options */
};

/* Those without a value: a bool becomes true. */
static const struct plain_option switches[] = {
	{'S', offsetof(struct options, frontend.serve)},
	{KEY_PACKED, offsetof(struct options, packed)},
	{KEY_IN_ORDER, offsetof(struct options, in_order)},
	{KEY_INDIRECT, offsetof(struct options, frontend.indirect_tables)},
	{KEY_EVENT_INDEX, offsetof(struct options, event_index)},
	{KEY_INTERRUPTS, offsetof(struct options, frontend.interrupts)},
	{KEY_HUGE, offsetof(struct options, frontend.huge_pages)},
	{KEY_TWO_REGIONS, offsetof(struct options, frontend.two_regions)},
	{KEY_RECONNECT, offsetof(struct options, reconnect)},
	{KEY_ONE_BY_ONE, offsetof(struct options, attach_one_by_one)},
	{KEY_JSON, offsetof(struct options, json)},
	{KEY_PER_DEVICE, offsetof(struct options, per_device)},
	{KEY_PER_FLOW, offsetof(struct options, per_flow)},
	{0},
};

static const struct plain_option texts[] = {
	{KEY_CONFIG, offsetof(struct options, config)},
	{KEY_TENANT, offsetof(struct options, tenant)},
	{KEY_CORES, offsetof(struct options, cores)},
	{KEY_DEAF, offsetof(struct options, deaf)},
	{KEY_SLOW, offsetof(struct options, slow)},
	{KEY_LEAVE, offsetof(struct options, leave)},
	{0},
};

/* @return where its value belongs, or NULL: it is none of the list. */
static void *place_of(const struct plain_option *list, int key, struct options *options)
{
	for (; list->key != 0; list++)
		if (list->key == key)
			return (char *)options + list->place;
	return NULL;
}

static bool read_plain_option(int key, const char *text, struct options *options)
{
	bool *found = place_of(switches, key, options);
	const char **written = place_of(texts, key, options);

	if (found != NULL)
		*found = true;
	if (written != NULL)
		*written = text;
	return found != NULL || written != NULL;
}

static bool read_device_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;
	struct tp_frontend_settings *frontend = &options->frontend;

	switch (key) {
	case 's':
		options->sockets = add_text(options->sockets, &options->socket_count, text);
		break;
	case KEY_COUNT:
		options->count = options_number(state, "count", text, 1, 65536);
		break;
	case KEY_FIRST:
		options->first = options_number(state, "first", text, 0, 1u << 30);
		break;
	case KEY_GROUP:
		options->groups = add_text(options->groups, &options->group_count, text);
		break;
	case KEY_MAC:
		read_mac(state, text, options->mac);
		break;
	case KEY_NO_MERGEABLE:
		options->mergeable = false;
		break;
	case KEY_FRAME_OFFSET:
		frontend->frame_offset = options_number(state, "frame-offset", text, 12, 4096);
		break;
	case KEY_BUFFER_SIZE:
		frontend->buffer_size = options_number(state, "buffer-size", text, 64, 65536);
		break;
	case KEY_TIMEOUT:
		frontend->timeout_ms =
			(unsigned)(1000 * read_real(state, "timeout", text, 0.1, 3600));
		break;
	default:
		return false;
	}
	return true;
}

static void read_load_word(struct argp_state *state, const char *what, const char *text)
{
	struct options *options = state->input;
	struct tp_error error = {{0}};

	if (load_set(&options->load, NULL, what, text, &error) < 0)
		argp_error(state, "%s", error.text);
	if (!load_names_group(text))
		return;
	options->parts = add_text(options->parts, &options->part_count, what);
	options->parts = add_text(options->parts, &options->part_count, text);
}

static bool read_load_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;
	struct tp_engine_load *load = &options->load;

	switch (key) {
	case KEY_RATE:
		read_load_word(state, "rate", text);
		break;
	case KEY_ARRIVAL:
		read_load_word(state, "arrival", text);
		break;
	case KEY_SIZE:
		read_load_word(state, "size", text);
		break;
	case KEY_TALK:
		read_load_word(state, "talk", text);
		break;
	case KEY_TALKING:
		load->talk.talking = options_number(state, "talking", text, 0, 65536);
		break;
	case KEY_CHURN:
		load->talk.churn = read_real(state, "churn", text, 0.001, 1e6);
		break;
	case KEY_SEED:
		load->talk.seed = options_number(state, "seed", text, 0, UINT32_MAX);
		break;
	case KEY_VERIFY:
		read_load_word(state, "verify", text);
		break;
	default:
		return false;
	}
	return true;
}

static bool read_run_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_SECONDS:
		options->seconds = read_real(state, "seconds", text, 0.001, 1e7);
		break;
	case KEY_WARM_UP:
		options->warm_up = read_real(state, "warm-up", text, 0, 3600);
		break;
	case KEY_SEARCH:
		read_goal(state, text, options);
		break;
	case KEY_TRIAL:
		options->trial = read_real(state, "trial", text, 0.01, 3600);
		break;
	default:
		return false;
	}
	return true;
}

static void check(struct argp_state *state, const struct options *options)
{
	if (options->socket_count == 0 && options->config == NULL)
		argp_error(state, "found no device; accepted: --socket PATH, or --config FILE");
	if (options->socket_count > 0 && options->config != NULL)
		argp_error(state, "found both --socket and --config; accepted: one of them");
	if (options->group_count > 0 && options->config != NULL)
		argp_error(state, "found both --group and --config, whose classes are the groups");
	if (options->group_count >= TP_ENGINE_GROUPS_MAX)
		argp_error(state, "found %u --group; accepted: %d at most", options->group_count,
			TP_ENGINE_GROUPS_MAX - 1);
	if (options->tenant != NULL && options->config == NULL)
		argp_error(state, "--tenant needs --config");
}

static error_t read_option(int key, char *text, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "found \"%s\"; accepted: options, and testpmd's behind \"--\"",
			text);
	if (key == ARGP_KEY_END)
		check(state, state->input);
	if (read_plain_option(key, text, state->input) || read_device_option(key, text, state) ||
		read_load_option(key, text, state) || read_run_option(key, text, state))
		return 0;
	return ARGP_ERR_UNKNOWN;
}

static void set_features(struct options *options)
{
	struct tp_frontend_settings *frontend = &options->frontend;

	frontend->features = (uint64_t)options->mergeable << VIRTIO_NET_F_MRG_RXBUF |
			     (uint64_t)options->packed << VIRTIO_F_RING_PACKED |
			     (uint64_t)options->in_order << VIRTIO_F_IN_ORDER |
			     (uint64_t)options->event_index << VIRTIO_RING_F_EVENT_IDX |
			     (uint64_t)frontend->indirect_tables << VIRTIO_RING_F_INDIRECT_DESC;
	frontend->no_calls = !frontend->interrupts;
}

void options_read(struct options *options, int argc, char **argv)
{
	static const struct argp parser = {
		option_list, read_option, "[-- TESTPMD-OPTION...]", help, NULL, NULL, NULL};
	int own = 1;

	*options = (struct options){.count = 2,
		.mac = {0x02, 0, 0, 0, 0, 0x01},
		.mergeable = true,
		.frontend = {.frame_offset = 12, .buffer_size = 2048, .timeout_ms = 10000},
		.rxq = 1,
		.txq = 1,
		.rxd = 256,
		.txd = 256,
		.threads = 1,
		.load = {.mode = TP_MODE_FLOWGEN,
			.verify = TP_VERIFY_STAMP,
			.burst = 32,
			.talk = {.kind = TP_TALK_PAIRS, .seed = 1}},
		.warm_up = 0.2,
		.trial = 1};
	tp_size_parse("64", &options->load.size, NULL);
	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	argp_err_exit_status = EXIT_USAGE;
	if (own < argc) {
		argv[own] = argv[0];
		options_read_testpmd(options, argc - own, argv + own);
	}
	argp_parse(&parser, own, argv, 0, NULL, options);
	set_features(options);
}
