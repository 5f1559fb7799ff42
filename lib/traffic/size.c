/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "traffic/size.h"

static const uint16_t imix[TP_SIZE_MIX] = {60, 60, 60, 60, 60, 60, 60, 566, 566, 566, 566, 1514};

static int refuse(const char *text, struct tp_error *error)
{
	return tp_error_set(error, EINVAL,
		"size \"%s\": found neither a size (\"64\"), nor segments (\"64,128\"), nor a "
		"range "
		"(\"64-1514\"), nor \"imix\"",
		text);
}

static int check(const struct tp_size *size, const char *text, struct tp_error *error)
{
	if (size->least >= TP_SIZE_LEAST && size->most <= TP_SIZE_MOST)
		return 0;
	return tp_error_set(error, EINVAL, "size \"%s\": found %u bytes; accepted: %u to %u", text,
		size->least < TP_SIZE_LEAST ? size->least : size->most, TP_SIZE_LEAST,
		TP_SIZE_MOST);
}

static int parse_segments(const char *text, struct tp_size *size, struct tp_error *error)
{
	const char *next = text;
	uint64_t total = 0;

	for (;;) {
		uint32_t bytes;

		if (size->segments == TP_SIZE_SEGMENTS_MAX)
			return tp_error_set(error, EINVAL, "size \"%s\": more than %u segments",
				text, TP_SIZE_SEGMENTS_MAX);
		if (!tp_text_whole(next, &bytes, &next) || (*next != ',' && *next != '\0'))
			return refuse(text, error);
		if (bytes == 0)
			return tp_error_set(
				error, EINVAL, "size \"%s\": a segment of no byte", text);
		size->segment[size->segments++] = bytes;
		total += bytes;
		if (*next++ == '\0')
			break;
	}
	size->least = size->most = total > UINT32_MAX ? UINT32_MAX : (uint32_t)total;
	size->mean = size->least;
	return check(size, text, error);
}

static int parse_range(const char *text, struct tp_size *size, struct tp_error *error)
{
	const char *next;

	size->kind = TP_SIZE_RANGE;
	size->segments = 1;
	if (!tp_text_whole(text, &size->least, &next) || *next != '-' ||
		!tp_text_whole(next + 1, &size->most, &next) || *next != '\0')
		return refuse(text, error);
	if (size->least > size->most)
		return tp_error_set(error, EINVAL, "size \"%s\": the range is empty", text);
	size->mean = (size->least + (double)size->most) / 2;
	return check(size, text, error);
}

static void set_imix(struct tp_size *size)
{
	double sum = 0;

	size->kind = TP_SIZE_IMIX;
	size->segments = 1;
	memcpy(size->mix, imix, sizeof(imix));
	for (unsigned i = 0; i < TP_SIZE_MIX; i++)
		sum += imix[i];
	size->mean = sum / TP_SIZE_MIX;
	size->least = imix[0];
	size->most = imix[TP_SIZE_MIX - 1];
}

int tp_size_parse(const char *text, struct tp_size *size, struct tp_error *error)
{
	struct tp_size read = {.kind = TP_SIZE_FIXED};
	int status = 0;

	if (strcmp(text, "imix") == 0)
		set_imix(&read);
	else if (strchr(text, '-') != NULL)
		status = parse_range(text, &read, error);
	else
		status = parse_segments(text, &read, error);
	if (status == 0)
		*size = read;
	return status;
}

const char *tp_size_text(const struct tp_size *size, char *text, size_t capacity)
{
	size_t used = 0;

	if (size->kind == TP_SIZE_IMIX)
		snprintf(text, capacity, "imix");
	else if (size->kind == TP_SIZE_RANGE)
		snprintf(text, capacity, "%u-%u", size->least, size->most);
	for (unsigned i = 0; size->kind == TP_SIZE_FIXED && i < size->segments && used < capacity;
		i++)
		used += (size_t)snprintf(
			text + used, capacity - used, "%s%u", i > 0 ? "," : "", size->segment[i]);
	return text;
}
