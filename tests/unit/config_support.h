/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/config.h"

/* Configurations in tests are written with ' for ", to be readable in C. */

#define GOLD "'gold':{'bid':16}"
#define MAC1 "'mac':'02:00:00:00:00:01'"
#define VM(number)                                                                                 \
	"'vm" number "':{'mac':'02:00:00:00:00:0" number "','class':'gold'," SOCKET(number)
#define SOCKET(number) "'socket':'/run/vm" number ".sock'}"

/* A whole file of these classes and these interfaces of tenant acme. */
#define FILE_OF(classes, interfaces)                                                               \
	"{'classes':{" classes "},'tenants':{'acme':{'interfaces':{" interfaces "}}}}"

static inline struct tp_config *parse(const char *text, struct tp_error *error)
{
	char *json = strdup(text);
	struct tp_config *config;

	for (char *c = json; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	config = tp_config_parse(json, strlen(json), "test.json", error);
	free(json);
	return config;
}

static inline struct tp_config *accepted(const char *text)
{
	struct tp_error error = {""};
	struct tp_config *config = parse(text, &error);

	if (config == NULL)
		fail_msg("refused: %s", error.text);
	return config;
}

static inline void refused(const char *text, const char *message)
{
	struct tp_error error = {""};
	struct tp_config *config = parse(text, &error);

	if (config != NULL)
		fail_msg("accepted: %s", text);
	if (strstr(error.text, message) == NULL || strncmp(error.text, "test.json: ", 11) != 0)
		fail_msg("%.300s\n  says:   %s\n  expect: %s", text, error.text, message);
}

/** A text that is refused, and words of the message. */
struct refusal {
	const char *json, *message;
};

static inline void refuse_all(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		refused(refusals[i].json, refusals[i].message);
}
