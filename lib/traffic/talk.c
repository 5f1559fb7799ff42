/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "traffic/talk.h"

#define SKEW_MAX 10.0

int tp_talk_parse(const char *text, struct tp_talk_settings *settings, struct tp_error *error)
{
	static const char *const names[] = {"pairs", "star", "all", "wheel", "random"};
	const char *end;
	double skew = 1;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			settings->kind = (enum tp_talk_kind)i;
			settings->skew = skew;
			return 0;
		}
	}
	if (strncmp(text, "random:", 7) == 0 && tp_text_real(text + 7, &skew, &end) &&
		*end == '\0' && skew <= SKEW_MAX) {
		settings->kind = TP_TALK_RANDOM_ZIPF;
		settings->skew = skew;
		return 0;
	}
	return tp_error_set(error, EINVAL,
		"talk \"%s\": accepted: \"pairs\", \"star\", \"all\", \"wheel\", \"random\", or "
		"\"random:S\" with a skew S of 0 to %g",
		text, SKEW_MAX);
}

static uint64_t random64(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
	return mixed ^ mixed >> 31;
}

/* Devices drawn with the weights of Zipf's law: a table of sums, searched. */
struct draw {
	double *sums;
	unsigned devices;
	uint64_t random;
};

static int make_draw(struct draw *draw, const struct tp_talk *talk)
{
	double sum = 0;

	draw->devices = talk->devices;
	draw->random = talk->settings.seed;
	draw->sums = calloc(talk->devices, sizeof(*draw->sums));
	for (unsigned i = 0; draw->sums != NULL && i < talk->devices; i++)
		draw->sums[i] = sum += pow(i + 1.0, -talk->settings.skew);
	return draw->sums == NULL ? -ENOMEM : 0;
}

static uint32_t draw_device(struct draw *draw)
{
	double share = (double)(random64(&draw->random) >> 11) / 9007199254740992.0;
	double place = share * draw->sums[draw->devices - 1];
	unsigned low = 0, high = draw->devices - 1;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (draw->sums[middle] > place)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static unsigned flows_of(const struct tp_talk *talk, unsigned device)
{
	switch (talk->settings.kind) {
	case TP_TALK_PAIRS:
		return (device ^ 1) < talk->devices;
	case TP_TALK_STAR:
		return device > 0;
	case TP_TALK_ALL:
		return talk->devices - 1;
	case TP_TALK_WHEEL:
		return device > 0 ? 2 : 0;
	default:
		return talk->devices - 1 < TP_TALK_RANDOM ? talk->devices - 1 : TP_TALK_RANDOM;
	}
}

static bool is_among(const struct tp_talk_flow *flows, unsigned count, uint32_t to)
{
	for (unsigned i = 0; i < count; i++) {
		if (flows[i].to == to)
			return true;
	}
	return false;
}

/* Others, each once. Under a strong skew the same few are drawn again and again: then fewer. */
static unsigned draw_flows(
	struct tp_talk_flow *flows, unsigned most, uint32_t from, struct draw *draw)
{
	unsigned count = 0;

	for (unsigned i = 0; i < 16 * TP_TALK_RANDOM && count < most; i++) {
		uint32_t to = draw_device(draw);

		if (to != from && !is_among(flows, count, to))
			flows[count++] = (struct tp_talk_flow){from, to};
	}
	if (count == 0)
		flows[count++] = (struct tp_talk_flow){from, from == 0};
	return count;
}

static void lay_out(struct tp_talk *talk, struct draw *draw)
{
	for (uint32_t from = 0; from < talk->devices; from++) {
		struct tp_talk_flow *flows = talk->flows + talk->flow_count;
		unsigned count = flows_of(talk, from);

		talk->first[from] = talk->flow_count;
		if (talk->settings.kind == TP_TALK_RANDOM_ZIPF) {
			count = draw_flows(flows, count, from, draw);
		} else if (talk->settings.kind == TP_TALK_ALL) {
			for (unsigned i = 0; i < count; i++)
				flows[i] =
					(struct tp_talk_flow){from, (from + 1 + i) % talk->devices};
		} else if (talk->settings.kind == TP_TALK_WHEEL && count > 0) {
			flows[0] = (struct tp_talk_flow){from, 0};
			flows[1] = (struct tp_talk_flow){from, 1 + from % (talk->devices - 1)};
		} else if (count > 0) {
			flows[0] = (struct tp_talk_flow){
				from, talk->settings.kind == TP_TALK_STAR ? 0 : from ^ 1};
		}
		talk->flow_count += count;
	}
	talk->first[talk->devices] = talk->flow_count;
}

static int check(const struct tp_talk_settings *settings, unsigned devices, struct tp_error *error)
{
	unsigned least = settings->kind == TP_TALK_WHEEL ? 3 : 2;

	if (devices < least)
		return tp_error_set(error, EINVAL,
			"%u device%s: at least %u must be there to talk to each other", devices,
			devices == 1 ? "" : "s", least);
	if (settings->talking > devices)
		return tp_error_set(error, EINVAL, "%u devices shall talk, but there are only %u",
			settings->talking, devices);
	return 0;
}

int tp_talk_init(struct tp_talk *talk, const struct tp_talk_settings *settings, unsigned devices,
	struct tp_error *error)
{
	struct draw draw = {0};
	uint64_t flows = 0;
	int status = check(settings, devices, error);

	if (status < 0)
		return status;
	*talk = (struct tp_talk){.settings = *settings, .devices = devices};
	if (talk->settings.talking == 0)
		talk->settings.talking = devices;
	for (unsigned i = 0; i < devices; i++)
		flows += flows_of(talk, i);
	if (flows > TP_TALK_FLOWS_MAX)
		return tp_error_set(error, EINVAL, "%u devices make %llu flows: at most %u",
			devices, (unsigned long long)flows, TP_TALK_FLOWS_MAX);
	talk->flows = calloc(flows, sizeof(*talk->flows));
	talk->first = calloc(devices + 1, sizeof(*talk->first));
	if (talk->flows == NULL || talk->first == NULL ||
		(settings->kind == TP_TALK_RANDOM_ZIPF && make_draw(&draw, talk) < 0)) {
		tp_talk_free(talk);
		return tp_error_set(error, ENOMEM, "no memory for flows");
	}
	lay_out(talk, &draw);
	free(draw.sums);
	return 0;
}

void tp_talk_free(struct tp_talk *talk)
{
	free(talk->flows);
	free(talk->first);
	talk->flows = NULL;
	talk->first = NULL;
	talk->flow_count = 0;
}

unsigned tp_talk_sources(const struct tp_talk *talk, uint64_t period, uint32_t *devices)
{
	unsigned talking = talk->settings.talking, count = 0;
	uint64_t begin = period % talk->devices * talking % talk->devices;

	for (unsigned i = 0; i < talking; i++) {
		uint32_t device = (uint32_t)((begin + i) % talk->devices);

		if (talk->first[device] != talk->first[device + 1])
			devices[count++] = device;
	}
	return count;
}
