/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values as people write them, in configurations and commands: units, moments, loads. Any text is
 * read or refused with words; what is read is within its bounds. Each line of the input is one.
 */
#include <inttypes.h>
#include <math.h>

#include "ctl/moment.h"
#include "ctl/units.h"
#include "input.h"
#include "traffic/rewrite.h"
#include "traffic/schedule.h"
#include "traffic/size.h"
#include "traffic/stamp.h"
#include "traffic/talk.h"

#define TEXT_MAX  512
#define LINES_MAX 256
#define NOW_MS    INT64_C(1793716200000) /* 2026-11-03 */

/* 9999-12-31T23:59:59.999Z */
#define LAST_MOMENT INT64_C(253402300799999)

static void check_refused(int result, const struct tp_error *error)
{
	EXPECT(result < 0 && error->text[0] != '\0');
}

/* The value as a floating-point number would have it. */
static long double about(const char *text, const struct tp_unit_family *family)
{
	char *end;
	long double number = strtold(text, &end);

	end += *end == ' ';
	for (const struct tp_unit *unit = family->units; unit->name != NULL; unit++)
		if (strcmp(unit->name, end) == 0)
			return number * unit->factor;
	return -1;
}

static void try_units(const char *text, const struct tp_unit_family *family)
{
	struct tp_error error = {""};
	uint64_t value = 0, again = 0;
	char smallest[64];
	int result = tp_units_parse(text, family, &value, &error);

	if (result < 0) {
		check_refused(result, &error);
		return;
	}
	EXPECT(tp_units_match(text, family));
	EXPECT(fabsl(about(text, family) - value) <= 1e-6L * value);
	snprintf(smallest, sizeof(smallest), "%" PRIu64 "%s", value, family->units[0].name);
	EXPECT(tp_units_parse(smallest, family, &again, NULL) == 0 && again == value);
}

static void try_moment(const char *text)
{
	struct tp_error error = {""};
	int64_t moment = 0, again = 0;
	char written[TP_MOMENT_SIZE];
	int result = tp_moment_parse(text, NOW_MS, &moment, &error);

	if (result < 0) {
		check_refused(result, &error);
		return;
	}
	EXPECT(moment >= 0 && moment <= LAST_MOMENT);
	EXPECT(tp_moment_parse(tp_moment_format(moment, written), 0, &again, NULL) == 0);
	EXPECT(again == moment);
}

static void try_size(const char *text)
{
	struct tp_error error = {""};
	struct tp_size size, again;
	char written[TEXT_MAX];
	int result = tp_size_parse(text, &size, &error);

	if (result < 0) {
		check_refused(result, &error);
		return;
	}
	EXPECT(size.least >= TP_SIZE_LEAST && size.least <= size.most);
	EXPECT(size.most <= TP_SIZE_MOST && size.segments <= TP_SIZE_SEGMENTS_MAX);
	EXPECT(tp_size_draw(&size, 0) >= size.least);
	EXPECT(tp_size_draw(&size, UINT32_MAX) <= size.most);
	EXPECT(tp_size_parse(tp_size_text(&size, written, sizeof(written)), &again, NULL) == 0);
	EXPECT(again.kind == size.kind && again.mean == size.mean);
}

static void try_load(const char *text)
{
	struct tp_talk_settings talk = {.kind = TP_TALK_PAIRS};
	struct tp_error error = {""};
	struct tp_load load = {.total = false};
	enum tp_verify verify;
	enum tp_mode mode;
	int result = tp_load_parse_rate(text, &load, &error);

	if (result == 0) {
		EXPECT(isfinite(load.frames_per_second) && load.frames_per_second >= 0);
		EXPECT(isfinite(load.bits_per_second) && load.bits_per_second >= 0);
		EXPECT(tp_load_rate(&load, 7, 64) >= 0);
	} else {
		check_refused(result, &error);
	}
	if (tp_load_parse_arrival(text, &load, NULL) == 0 && load.arrival == TP_ARRIVAL_ON_OFF)
		EXPECT(load.on_seconds >= 0 && load.off_seconds >= 0);
	if (tp_talk_parse(text, &talk, NULL) == 0)
		EXPECT(talk.kind <= TP_TALK_RANDOM_ZIPF && isfinite(talk.skew));
	if (tp_mode_parse(text, &mode, NULL) == 0)
		EXPECT(strcmp(tp_mode_name(mode), text) == 0);
	if (tp_verify_parse(text, &verify, NULL) == 0)
		EXPECT(verify <= TP_VERIFY_PAYLOAD);
}

static void try_line(const char *line, size_t size)
{
	/* In a block of its size, so that a sanitizer sees what is read behind it. */
	char *text = strndup(line, size < TEXT_MAX ? size : TEXT_MAX);

	EXPECT(text != NULL);
	try_units(text, &tp_units_rate);
	try_units(text, &tp_units_frame_rate);
	try_units(text, &tp_units_time);
	try_units(text, &tp_units_size);
	try_units(text, &tp_units_burst);
	try_moment(text);
	try_size(text);
	try_load(text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;

	for (unsigned i = 0; i < LINES_MAX && size > 0; i++) {
		const char *end = memchr(line, '\n', size);
		size_t length = end != NULL ? (size_t)(end - line) : size;

		try_line(line, length);
		size -= length + (end != NULL);
		line += length + (end != NULL);
	}
	return 0;
}
