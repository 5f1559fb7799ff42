/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>

#include "billing.h"
#include "ctl/control_socket.h"
#include "ctl/moment.h"
#include "ledger.h"

#define MS_NS 1000000

static void read_interface(void *owner, uint32_t place, struct tp_amounts *amounts)
{
	const struct tp_appliance *appliance = owner;
	const struct tp_counters *counters = &appliance->at_place[place]->context->counters;

	amounts->sixteenths = tp_counter_read(&counters->bill);
	amounts->frames = tp_counter_read(&counters->value[TP_COUNTER_TX_FRAMES]);
	amounts->bytes = tp_counter_read(&counters->value[TP_COUNTER_TX_BYTES]);
}

static void name_interface(void *owner, uint32_t index, struct tp_charge *charge)
{
	const struct tp_config *config = ((const struct tp_appliance *)owner)->config;
	const struct tp_interface_config *interface = &config->interfaces[index];

	charge->tenant = config->tenants[interface->tenant_index].name;
	charge->interface = interface->name;
	charge->class = config->classes[interface->class_index].name;
}

static void give_bill(void *owner, uint64_t promise, json_t *bill, const struct tp_error *error)
{
	const struct tp_appliance *appliance = owner;

	tp_control_keep(appliance->control, promise, bill, error->text);
}

int tp_billing_open(struct tp_appliance *appliance, struct tp_error *error)
{
	const struct tp_ledger_settings settings = {
		.loop = appliance->loop,
		.directory = appliance->config->billing_directory,
		.interval_ms = appliance->config->billing_interval_ns / MS_NS,
		.accounts = appliance->config->interface_count,
		.read = read_interface,
		.name = name_interface,
		.answer = give_bill,
		.owner = appliance,
	};

	appliance->ledger = tp_ledger_open(&settings, error);
	return appliance->ledger == NULL ? -EINVAL : 0;
}

void tp_billing_change(struct tp_appliance *appliance)
{
	tp_ledger_set_interval(appliance->ledger, appliance->config->billing_interval_ns / MS_NS);
}

void tp_billing_close(struct tp_appliance *appliance)
{
	tp_ledger_close(appliance->ledger);
	appliance->ledger = NULL;
}

/* A time that is not there leaves *moment as it is. */
static int read_moment(
	const json_t *request, const char *key, int64_t *moment, struct tp_error *error)
{
	const json_t *json = json_object_get(request, key);
	int result;

	if (json == NULL || json_is_null(json))
		return 0;
	if (!json_is_string(json))
		return tp_error_set(
			error, EINVAL, "bill: %s: accepted: a string, " TP_MOMENT_ACCEPTED, key);
	result = tp_moment_parse(json_string_value(json), tp_moment_now(), moment, error);
	if (result < 0)
		tp_error_prefix(error, "bill: %s", key);
	return result;
}

json_t *tp_billing_answer(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	int64_t from = INT64_MIN;
	int64_t to = INT64_MAX;
	uint64_t promise;

	if (read_moment(request, "from", &from, error) < 0 ||
		read_moment(request, "to", &to, error) < 0)
		return NULL;
	if (from >= to) {
		tp_error_set(error, EINVAL,
			"bill: found a \"to\" that is not after \"from\"; "
			"accepted: a time after it");
		return NULL;
	}
	promise = tp_control_promise(appliance->control);
	if (tp_ledger_ask(appliance->ledger, from, to, promise, error) < 0)
		tp_control_keep(appliance->control, promise, NULL, error->text);
	return NULL;
}
