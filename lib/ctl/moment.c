/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/moment.h"
#include "json_place.h"

#define SHOWN 40 /* bytes of a bad moment in a message */

struct clock_reading {
	int year, month, day, hour, minute, second, millisecond;
};

static bool take(const char **cursor, char wanted)
{
	if (**cursor != wanted)
		return false;
	(*cursor)++;
	return true;
}

/* Exactly so many digits. */
static bool take_number(const char **cursor, unsigned digits, int *number)
{
	*number = 0;
	while (digits-- > 0) {
		if (**cursor < '0' || **cursor > '9')
			return false;
		*number = 10 * *number + (*(*cursor)++ - '0');
	}
	return true;
}

/* One to three digits behind the point. */
static bool take_fraction(const char **cursor, int *milliseconds)
{
	int digit = 0;
	int worth = 100;

	*milliseconds = 0;
	while (worth > 0 && take_number(cursor, 1, &digit)) {
		*milliseconds += digit * worth;
		worth /= 10;
	}
	return worth < 100;
}

static bool take_time(const char **cursor, struct clock_reading *reading)
{
	if (!take_number(cursor, 2, &reading->hour) || !take(cursor, ':') ||
		!take_number(cursor, 2, &reading->minute))
		return false;
	if (!take(cursor, ':'))
		return true;
	if (!take_number(cursor, 2, &reading->second))
		return false;
	return !take(cursor, '.') || take_fraction(cursor, &reading->millisecond);
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool exists(const struct clock_reading *reading)
{
	return reading->year >= 1970 && reading->month >= 1 && reading->month <= 12 &&
	       reading->day >= 1 && reading->day <= days_of(reading->year, reading->month) &&
	       reading->hour <= 23 && reading->minute <= 59 && reading->second <= 59;
}

static int64_t moment_of(const struct clock_reading *reading)
{
	struct tm utc = {
		.tm_year = reading->year - 1900,
		.tm_mon = reading->month - 1,
		.tm_mday = reading->day,
		.tm_hour = reading->hour,
		.tm_min = reading->minute,
		.tm_sec = reading->second,
	};

	return (int64_t)timegm(&utc) * 1000 + reading->millisecond;
}

static bool read_iso(const char *cursor, int64_t *moment)
{
	struct clock_reading reading = {0};

	if (!take_number(&cursor, 4, &reading.year) || !take(&cursor, '-') ||
		!take_number(&cursor, 2, &reading.month) || !take(&cursor, '-') ||
		!take_number(&cursor, 2, &reading.day))
		return false;
	if ((take(&cursor, 'T') || take(&cursor, ' ')) && !take_time(&cursor, &reading))
		return false;
	take(&cursor, 'Z');
	if (*cursor != '\0' || !exists(&reading))
		return false;
	*moment = moment_of(&reading);
	return true;
}

static int64_t unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return 1000;
	case 'm':
		return 60 * 1000;
	case 'h':
		return 3600 * 1000;
	case 'd':
		return 24 * 3600 * 1000;
	default:
		return 0;
	}
}

/* Behind the sign. Nothing before 1970 is meant by anybody. */
static bool read_ago(const char *cursor, int64_t now_ms, int64_t *moment)
{
	int64_t amount = 0;
	int digit;

	if (*cursor < '0' || *cursor > '9')
		return false;
	while (amount < INT64_C(1000000000000) && take_number(&cursor, 1, &digit))
		amount = 10 * amount + digit;
	if (unit_ms(*cursor) == 0 || cursor[1] != '\0' || amount > now_ms / unit_ms(*cursor))
		return false;
	*moment = now_ms - amount * unit_ms(*cursor);
	return true;
}

int tp_moment_parse(const char *text, int64_t now_ms, int64_t *moment, struct tp_error *error)
{
	char quoted[SHOWN * 6 + 8];

	if (text[0] == '-' ? read_ago(text + 1, now_ms, moment) : read_iso(text, moment))
		return 0;
	return tp_error_set(error, EINVAL, "found \"%s\"; accepted: " TP_MOMENT_ACCEPTED,
		tp_json_quote(text, "\"\\", SHOWN, quoted, sizeof(quoted)));
}

int64_t tp_moment_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *tp_moment_format(int64_t moment, char buffer[TP_MOMENT_SIZE])
{
	time_t seconds = (time_t)(moment / 1000);
	int milliseconds = (int)(moment % 1000);
	size_t length;
	struct tm utc;

	gmtime_r(&seconds, &utc);
	length = strftime(buffer, TP_MOMENT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	if (milliseconds != 0)
		snprintf(buffer + length, TP_MOMENT_SIZE - length, ".%03dZ", milliseconds);
	else
		snprintf(buffer + length, TP_MOMENT_SIZE - length, "Z");
	return buffer;
}
