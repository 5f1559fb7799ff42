/* SPDX-License-Identifier: BSD-3-Clause */
/* The options behind "--", as testpmd names them. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

enum key {
	KEY_MODE = 256,
	KEY_TXPKTS,
	KEY_BURST,
	KEY_STATS_PERIOD,
	KEY_RXQ,
	KEY_TXQ,
	KEY_RXD,
	KEY_TXD,
	KEY_NB_CORES,
	KEY_TOPOLOGY,
	KEY_TX_FIRST,
};

static const struct argp_option option_list[] = {
	{"forward-mode", KEY_MODE, "M", 0, "What to do with frames", 0},
	{"txpkts", KEY_TXPKTS, "X[,Y]", 0, "Bytes of each segment of a frame sent", 0},
	{"burst", KEY_BURST, "N", 0, "Most frames of a device in one go", 0},
	{"stats-period", KEY_STATS_PERIOD, "S", 0, "Show statistics every S seconds", 0},
	{"rxq", KEY_RXQ, "N", 0, "Receive queues", 0},
	{"txq", KEY_TXQ, "N", 0, "Transmit queues", 0},
	{"rxd", KEY_RXD, "N", 0, "Descriptors of a receive queue", 0},
	{"txd", KEY_TXD, "N", 0, "Descriptors of a transmit queue", 0},
	{"nb-cores", KEY_NB_CORES, "N", 0, "Threads", 0},
	{"port-topology", KEY_TOPOLOGY, "T", 0, "paired or loop", 0},
	{"tx-first", KEY_TX_FIRST, NULL, 0, "Send a burst first", 0},
	{"interactive", 'i', NULL, 0, "Read commands", 0},
	{"auto-start", 'a', NULL, 0, "Start at once", 0},
	{0},
};

static unsigned read_ring(struct argp_state *state, const char *name, const char *text)
{
	unsigned size = options_number(state, name, text, 64, 32768);

	if ((size & (size - 1)) != 0)
		argp_error(state, "--%s: found %u; accepted: a power of two from 64 to 32768", name,
			size);
	return size;
}

static void read_topology(struct argp_state *state, const char *text, bool *loop)
{
	if (strcmp(text, "paired") != 0 && strcmp(text, "loop") != 0)
		argp_error(state, "--port-topology: found \"%s\"; accepted: paired, loop", text);
	*loop = text[0] == 'l';
}

static void check(struct argp_state *state, const struct options *options)
{
	if (options->rxq != options->txq)
		argp_error(state, "--rxq=%u and --txq=%u differ; accepted: as many of each",
			options->rxq, options->txq);
	if (options->rxd != options->txd)
		argp_error(state, "--rxd=%u and --txd=%u differ; accepted: the same for both",
			options->rxd, options->txd);
}

static error_t read_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;
	struct tp_engine_load *load = &options->load;
	struct tp_error error = {{0}};
	int status = 0;

	switch (key) {
	case KEY_MODE:
		status = tp_mode_parse(text, &load->mode, &error);
		break;
	case KEY_TXPKTS:
		status = tp_size_parse(text, &load->size, &error);
		break;
	case KEY_BURST:
		load->burst = options_number(state, "burst", text, 1, 512);
		break;
	case KEY_STATS_PERIOD:
		options->stats_period = options_number(state, "stats-period", text, 1, 86400);
		break;
	case KEY_RXQ:
		options->rxq = options_number(state, "rxq", text, 1, 8);
		break;
	case KEY_TXQ:
		options->txq = options_number(state, "txq", text, 1, 8);
		break;
	case KEY_RXD:
		options->rxd = read_ring(state, "rxd", text);
		break;
	case KEY_TXD:
		options->txd = read_ring(state, "txd", text);
		break;
	case KEY_NB_CORES:
		options->threads =
			options_number(state, "nb-cores", text, 1, TP_ENGINE_THREADS_MAX);
		break;
	case KEY_TOPOLOGY:
		read_topology(state, text, &load->loop);
		break;
	case KEY_TX_FIRST:
		options->tx_first = true;
		break;
	case 'i':
		options->interactive = true;
		break;
	case 'a':
		options->auto_start = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "found \"%s\" behind \"--\"; accepted: testpmd's options", text);
		break;
	case ARGP_KEY_END:
		check(state, options);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (status < 0)
		argp_error(state, "%s", error.text);
	return 0;
}

void options_read_testpmd(struct options *options, int argc, char **argv)
{
	static const struct argp parser = {
		option_list, read_option, NULL, "Options behind \"--\".", NULL, NULL, NULL};

	argp_parse(&parser, argc, argv, 0, NULL, options);
	options->frontend.queue_pairs = options->rxq;
	options->frontend.ring_size = (uint16_t)options->rxd;
}
