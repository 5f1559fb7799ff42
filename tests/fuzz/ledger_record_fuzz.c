/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a line of the ledger. One that is a record is written as the same record, and is
 * counted. */
#include "bill.h"
#include "input.h"

static bool same_charge(const struct tp_charge *a, const struct tp_charge *b)
{
	return strcmp(a->tenant, b->tenant) == 0 && strcmp(a->interface, b->interface) == 0 &&
	       strcmp(a->class, b->class) == 0 && a->sixteenths == b->sixteenths &&
	       a->frames == b->frames && a->bytes == b->bytes;
}

static void check_written(const struct tp_record *record)
{
	char *line = tp_record_write(record);
	struct tp_record again;

	EXPECT(line != NULL && strchr(line, '\n') == line + strlen(line) - 1);
	EXPECT(tp_record_read(line, strlen(line), &again) == 0);
	EXPECT(strcmp(again.run, record->run) == 0 && again.number == record->number);
	EXPECT(again.begin == record->begin && again.end == record->end);
	EXPECT(again.count == record->count);
	for (size_t i = 0; i < record->count; i++)
		EXPECT(same_charge(&again.charges[i], &record->charges[i]));
	tp_record_clear(&again);
	free(line);
}

/* Twice the same record is twice the sum. */
static void check_counted(const struct tp_record *record)
{
	struct tp_bill *bill = tp_bill_new(INT64_MIN, INT64_MAX);
	json_t *json;

	EXPECT(bill != NULL && tp_bill_add(bill, record) == 0 && tp_bill_add(bill, record) == 0);
	json = tp_bill_to_json(bill);
	EXPECT(json_integer_value(json_object_get(json, "intervals")) == 2);
	EXPECT((json_array_size(json_object_get(json, "charges")) > 0) == (record->count > 0));
	EXPECT(json_array_size(json_object_get(json, "charges")) <= record->count);
	json_decref(json);
	tp_bill_free(bill);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tp_record record;

	if (tp_record_read((const char *)data, size, &record) < 0)
		return 0;
	EXPECT(record.end >= record.begin && strlen(record.run) < TP_RUN_SIZE);
	check_written(&record);
	check_counted(&record);
	tp_record_clear(&record);
	return 0;
}
