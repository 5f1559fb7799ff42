/* SPDX-License-Identifier: BSD-3-Clause */
/* What is peculiar to some devices: deaf, slow, coming and going. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* What --deaf, --slow and --leave make of a device. */
struct habit {
	struct tp_engine_device *devices;
	bool deaf;
	double slow;
	double away_every, away_for;
};

static void take_habit(void *context, unsigned number)
{
	const struct habit *habit = context;
	struct tp_engine_device *device = &habit->devices[number];

	device->deaf |= habit->deaf;
	if (habit->slow > 0)
		device->slow = habit->slow;
	if (habit->away_every > 0) {
		device->away_every = habit->away_every;
		device->away_for = habit->away_for;
	}
}

static bool read_positive(const char **text, double *value)
{
	char *end;

	*value = strtod(*text, &end);
	if (end == *text || !isfinite(*value) || *value <= 0)
		return false;
	*text = end;
	return true;
}

static int refuse(const char *what, const char *text, const char *accepted, unsigned count,
	struct tp_error *error)
{
	return tp_error_set(error, EINVAL, "%s \"%s\": accepted: %s, devices 0 to %u", what, text,
		accepted, count - 1);
}

/* Is there a list of devices up to this character? */
static bool is_list(const struct guests *guests, const char *text, char behind)
{
	const char *end = read_list(text, guests->count, NULL, NULL);

	return end != NULL && *end == behind;
}

int habits_set_deaf(struct guests *guests, const char *text, struct tp_error *error)
{
	struct habit habit = {.devices = guests->devices, .deaf = true};
	bool none = strcmp(text, "none") == 0;

	if (!none && !is_list(guests, text, '\0'))
		return refuse("deaf", text, "none, or a list such as 0,3-5", guests->count, error);
	for (unsigned i = 0; i < guests->count; i++)
		guests->devices[i].deaf = false;
	if (!none)
		read_list(text, guests->count, take_habit, &habit);
	return 0;
}

int habits_set_slow(struct guests *guests, const char *text, struct tp_error *error)
{
	struct habit habit = {.devices = guests->devices};
	bool none = strcmp(text, "none") == 0;
	const char *rate = strchr(text, ':');

	if (!none && (rate == NULL || (rate++, !read_positive(&rate, &habit.slow)) ||
			     *rate != '\0' || !is_list(guests, text, ':')))
		return refuse("slow", text, "none, or LIST:FRAMES_A_SECOND such as 0,3-5:1000",
			guests->count, error);
	for (unsigned i = 0; i < guests->count; i++)
		guests->devices[i].slow = 0;
	if (!none)
		read_list(text, guests->count, take_habit, &habit);
	return 0;
}

static int set_leave(struct guests *guests, const char *text, struct tp_error *error)
{
	struct habit habit = {.devices = guests->devices};
	const char *times = strchr(text, ':');

	if (times == NULL || (times++, !read_positive(&times, &habit.away_every)) ||
		*times++ != ',' || !read_positive(&times, &habit.away_for) || *times != '\0' ||
		!is_list(guests, text, ':'))
		return refuse("leave", text, "LIST:EVERY,FOR in seconds such as 0,3-5:1,0.1",
			guests->count, error);
	read_list(text, guests->count, take_habit, &habit);
	return 0;
}

int habits_set(struct guests *guests, const struct options *options, struct tp_error *error)
{
	int status = 0;

	if (options->deaf != NULL)
		status = habits_set_deaf(guests, options->deaf, error);
	if (status == 0 && options->slow != NULL)
		status = habits_set_slow(guests, options->slow, error);
	if (status == 0 && options->leave != NULL)
		status = set_leave(guests, options->leave, error);
	return status;
}
