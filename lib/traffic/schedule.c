/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "text.h"
#include "traffic/schedule.h"

#define BACKLOG_FRAMES 64

struct unit {
	const char *name;
	double factor;
	bool bits;
};

static const struct unit rate_units[] = {{"pps", 1, false}, {"kpps", 1e3, false},
	{"Mpps", 1e6, false}, {"bit/s", 1, true}, {"kbit/s", 1e3, true}, {"Mbit/s", 1e6, true},
	{"Gbit/s", 1e9, true}};

static const struct unit time_units[] = {{"us", 1e-6, false}, {"ms", 1e-3, false}, {"s", 1, false}};

static const struct unit *find_unit(
	const struct unit *units, size_t count, const char *text, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(units[i].name) == length && strncmp(units[i].name, text, length) == 0)
			return &units[i];
	}
	return NULL;
}

static int refuse_rate(const char *text, struct tp_error *error)
{
	return tp_error_set(error, EINVAL,
		"rate \"%s\": accepted: \"full\", \"none\", or a number above 0 with pps, kpps, "
		"Mpps, "
		"bit/s, kbit/s, Mbit/s or Gbit/s, then /device or /total, such as "
		"\"1.5Mpps/total\"",
		text);
}

int tp_load_parse_rate(const char *text, struct tp_load *load, struct tp_error *error)
{
	const char *unit_text, *share;
	const struct unit *unit;
	bool total = false;
	double value;
	size_t length;

	if (strcmp(text, "full") == 0 || strcmp(text, "none") == 0) {
		load->frames_per_second = load->bits_per_second = 0;
		load->total = false;
		load->silent = text[0] == 'n';
		return 0;
	}
	if (!tp_text_real(text, &value, &unit_text) || !(value > 0))
		return refuse_rate(text, error);
	length = strlen(unit_text);
	share = strrchr(unit_text, '/');
	if (share != NULL && (strcmp(share, "/device") == 0 || strcmp(share, "/total") == 0)) {
		total = share[1] == 't';
		length = (size_t)(share - unit_text);
	}
	unit = find_unit(rate_units, sizeof(rate_units) / sizeof(rate_units[0]), unit_text, length);
	if (unit == NULL)
		return refuse_rate(text, error);
	load->frames_per_second = unit->bits ? 0 : value * unit->factor;
	load->bits_per_second = unit->bits ? value * unit->factor : 0;
	load->total = total;
	load->silent = false;
	return 0;
}

/* A time with its unit. */
static bool parse_time(const char *text, size_t length, double *seconds)
{
	const struct unit *unit;
	const char *end;

	if (!tp_text_real(text, seconds, &end) || end > text + length)
		return false;
	unit = find_unit(time_units, sizeof(time_units) / sizeof(time_units[0]), end,
		(size_t)(text + length - end));
	if (unit == NULL)
		return false;
	*seconds *= unit->factor;
	return *seconds > 0;
}

int tp_load_parse_arrival(const char *text, struct tp_load *load, struct tp_error *error)
{
	static const char prefix[] = "on-off:";
	const char *on = text + strlen(prefix), *comma;
	double on_seconds = 0, off_seconds = 0;

	if (strcmp(text, "constant") == 0 || strcmp(text, "poisson") == 0) {
		load->arrival = text[0] == 'c' ? TP_ARRIVAL_CONSTANT : TP_ARRIVAL_POISSON;
		return 0;
	}
	if (strncmp(text, prefix, strlen(prefix)) == 0 && (comma = strchr(on, ',')) != NULL &&
		parse_time(on, (size_t)(comma - on), &on_seconds) &&
		parse_time(comma + 1, strlen(comma + 1), &off_seconds)) {
		load->arrival = TP_ARRIVAL_ON_OFF;
		load->on_seconds = on_seconds;
		load->off_seconds = off_seconds;
		return 0;
	}
	return tp_error_set(error, EINVAL,
		"arrival \"%s\": accepted: \"constant\", \"poisson\", or \"on-off:ON,OFF\" with "
		"times such as 10ms, 100us or 1s",
		text);
}

double tp_load_rate(const struct tp_load *load, unsigned sources, double mean_size)
{
	double rate = load->frames_per_second;

	if (load->bits_per_second > 0)
		rate = load->bits_per_second / (8 * mean_size);
	return load->total ? rate / sources : rate;
}

static uint64_t random64(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
	return mixed ^ mixed >> 31;
}

/* In (0, 1]. */
static double random_share(uint64_t *state)
{
	return (double)((random64(state) >> 11) + 1) / 9007199254740992.0;
}

static double gap(struct tp_schedule *schedule)
{
	if (schedule->arrival != TP_ARRIVAL_POISSON)
		return schedule->interval;
	return -log(random_share(&schedule->random)) * schedule->interval;
}

void tp_schedule_init(struct tp_schedule *schedule, const struct tp_load *load, double rate,
	double hz, uint64_t now, uint64_t seed)
{
	*schedule = (struct tp_schedule){.arrival = load->arrival,
		.random = seed,
		.interval = rate > 0 ? hz / rate : 0,
		.backlog = hz * TP_SCHEDULE_BACKLOG_US / 1e6,
		.phase_from = (double)now};
	if (load->arrival == TP_ARRIVAL_ON_OFF) {
		schedule->on = load->on_seconds * hz;
		schedule->off = load->off_seconds * hz;
	}
	if (schedule->backlog < BACKLOG_FRAMES * schedule->interval)
		schedule->backlog = BACKLOG_FRAMES * schedule->interval;
	if (schedule->arrival == TP_ARRIVAL_POISSON)
		schedule->next = (double)now + gap(schedule);
	else
		schedule->next = (double)now + random_share(&schedule->random) * schedule->interval;
}

/* What is due for longer than the backlog is given up. */
static void give_up_old(struct tp_schedule *schedule, double until)
{
	double frames;

	if (schedule->next > until)
		return;
	frames = floor((until - schedule->next) / schedule->interval) + 1;
	schedule->missed += (uint64_t)frames;
	schedule->next += frames * schedule->interval;
}

/* @return whether this is a time of silence. What was due before it, is too late. */
static bool silent(struct tp_schedule *schedule, double now)
{
	double period = schedule->on + schedule->off;
	double cycle, begin;

	if (schedule->off == 0)
		return false;
	cycle = floor((now - schedule->phase_from) / period);
	begin = schedule->phase_from + cycle * period;
	if (schedule->interval > 0 && schedule->next < begin) {
		give_up_old(schedule, begin - period + schedule->on);
		if (schedule->next < begin)
			schedule->next = begin;
	}
	return now - begin >= schedule->on;
}

unsigned tp_schedule_take(struct tp_schedule *schedule, uint64_t now, unsigned most)
{
	double time = (double)now;
	unsigned count = 0;

	if (silent(schedule, time))
		return 0;
	if (schedule->interval == 0)
		return most;
	give_up_old(schedule, time - schedule->backlog);
	while (count < most && schedule->next <= time) {
		schedule->next += gap(schedule);
		count++;
	}
	return count;
}

void tp_schedule_give_back(struct tp_schedule *schedule, uint64_t now, unsigned count)
{
	if (schedule->interval == 0)
		return;
	schedule->next -= count * schedule->interval;
	give_up_old(schedule, (double)now - schedule->backlog);
}
