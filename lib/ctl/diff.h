/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ctl/config.h"

/*
 * What has to change for one configuration to become another one. A pure function of the two.
 *
 * Names are identity: an interface is the one of the same name in the tenant of the same name,
 * whatever stands before it in the file. What there is in a configuration (classes, tenants,
 * interfaces, ..., and the parts that are there once) and which fields it has is a table in
 * diff_fields.c; another kind of object is another entry there.
 */

#define TP_NOT_THERE UINT32_MAX

/* In the order in which their changes are listed. */
enum tp_object_kind {
	TP_OBJECT_DATAPLANE,
	TP_OBJECT_PROCESS,
	TP_OBJECT_TARIFF,
	TP_OBJECT_BILLING,
	TP_OBJECT_CLASS,
	TP_OBJECT_UPLINK,
	TP_OBJECT_TENANT,
	TP_OBJECT_INTERFACE,
	TP_OBJECT_KINDS
};

/** What a change of a field takes. */
enum tp_effect {
	TP_EFFECT_LIVE,    /* nothing */
	TP_EFFECT_REPLACE, /* the object goes and comes anew */
	TP_EFFECT_RESTART, /* it cannot change while the appliance runs */
};

enum tp_change_way { TP_CHANGE_REMOVE, TP_CHANGE_ADD, TP_CHANGE_SET };

/** A field, as people read it: "2" -> "16"; of what is added `from` is NULL. */
struct tp_field_change {
	const char *name;
	char *from;
	char *to;
	enum tp_effect effect;
};

struct tp_change {
	enum tp_object_kind kind;
	enum tp_change_way way;
	uint32_t from; /* index in the old configuration, or TP_NOT_THERE */
	uint32_t to;   /* in the new one */
	struct tp_field_change *field;
	unsigned fields;
	bool replaces; /* it goes and comes anew */
};

struct tp_diff {
	const struct tp_config *old;
	const struct tp_config *new;
	struct tp_change *change;
	uint32_t count;
	uint32_t room;
	/* For each object of the new configuration which of the old one it was, by kind; what is
	 * replaced is not there. */
	uint32_t *from[TP_OBJECT_KINDS];
};

/**
 * Compare two configurations.
 * @return the difference, which refers to both as long as it is used; NULL: no memory.
 * Threading: any, as all functions here.
 */
struct tp_diff *tp_diff_new(const struct tp_config *old, const struct tp_config *new);

/** NULL is allowed. */
void tp_diff_free(struct tp_diff *diff);

/** Can it be done while the appliance runs? @return 0, or -EBUSY with *error saying what cannot,
 * and what to do. */
int tp_diff_check(const struct tp_diff *diff, struct tp_error *error);

/**
 * The difference for people and programs: [{"change":"set","kind":"class","name":"gold","replaces":
 * false,"fields":[{"field":"weight","from":"2","to":"16"}]}]; "add" and "remove" are the other
 * changes, "from" and "to" may be missing.
 * @return a new reference, or NULL: no memory.
 */
json_t *tp_diff_to_json(const struct tp_diff *diff);

/* diff_fields.c */

#define TP_FIELD_TEXT 1280 /* bytes of a field as text, with its end */

struct tp_object_field {
	const char *name;
	enum tp_effect effect;
	bool brief; /* told of an object that is added */
	void (*write)(const struct tp_config *config, uint32_t index, char text[TP_FIELD_TEXT]);
};

/** A kind of object: how many there are, and what they are called; "" if there is one only. */
struct tp_object_table {
	const char *name;
	enum tp_effect coming; /* what it takes that one comes or goes */
	uint32_t (*count)(const struct tp_config *config);
	const char *(*name_of)(const struct tp_config *config, uint32_t index);
	const char *(*tenant_of)(const struct tp_config *config, uint32_t index); /* or NULL */
	const struct tp_object_field *field;
	unsigned fields;
};

extern const struct tp_object_table tp_object_tables[TP_OBJECT_KINDS];
