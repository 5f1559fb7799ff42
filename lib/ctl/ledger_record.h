/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * A record of the ledger: what interfaces were charged in one interval. As text it is a line of
 * JSON:
 *
 *   {"run":"1762180205250123456-4711","number":3,
 *    "begin":"2026-11-03T14:30:00Z","end":"2026-11-03T14:31:00Z",
 *    "charges":[["acme","vm1","gold",16016,1001,64064]]}
 *
 * A charge is tenant, interface, class, sixteenths of a credit, frames, bytes. Run and number tell
 * one record from all others: no two of the same are ever counted.
 */

#define TP_RUN_SIZE 48

struct tp_charge {
	const char *tenant;
	const char *interface;
	const char *class;
	uint64_t sixteenths; /* of a credit */
	uint64_t frames;
	uint64_t bytes;
};

struct tp_record {
	char run[TP_RUN_SIZE]; /* of which appliance's life */
	uint64_t number;       /* within the run, from 0 */
	int64_t begin;         /* as ctl/moment.h */
	int64_t end;
	struct tp_charge *charges;
	size_t count;
	json_t *source; /* holds the names of a record that was read; else NULL */
};

/** Write a record as a line. @return the line with its end, to be freed, or NULL: no memory.
 * Threading: any, as all functions here. */
char *tp_record_write(const struct tp_record *record);

/**
 * Read a line.
 * @param line    any bytes, with or without the line's end
 * @param record  filled in on success, to be cleared
 * @return 0, -EINVAL: it is no whole record, or -ENOMEM.
 */
int tp_record_read(const char *line, size_t length, struct tp_record *record);

/** Free what a record holds, its charges among them. */
void tp_record_clear(struct tp_record *record);
