/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "apply.h"
#include "base/log.h"
#include "billing.h"
#include "budget.h"
#include "crew.h"
#include "figures.h"
#include "ledger.h"
#include "spread.h"
#include "underlay.h"
#include "uplinks.h"

/* What was prepared takes force. Nothing here can fail. */

static bool is_new(const struct tp_apply *apply, enum tp_object_kind kind, uint32_t index)
{
	return apply->diff->from[kind][index] == TP_NOT_THERE;
}

/* --- before the snapshot --------------------------------------------------------------------- */

static void retire(struct tp_port *port)
{
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
		tp_vring_retire(&port->context->pair[pair].tx);
		tp_vring_retire(&port->context->pair[pair].rx);
	}
	port->rings_retired = UINT32_MAX;
}

/* From the return on no worker has a ring of those that go or that are reseated. */
static void take_rings(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;
	bool any = false;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		if (!apply->gone[i])
			continue;
		retire(appliance->ports[i]);
		any = true;
	}
	/* With other workers all rings are taken already. */
	for (uint32_t i = 0; i < apply->config->interface_count && !apply->crew; i++) {
		if (!apply->reseated[i])
			continue;
		tp_spread_take(apply->ports[i]);
		any = true;
	}
	if (any)
		tp_dataplane_leave_all(appliance->dataplane);
}

static bool learns(const struct tp_config *config, uint32_t index)
{
	const struct tp_interface_config *interface = &config->interfaces[index];

	return config->tenants[interface->tenant_index].mac_learning &&
	       !interface->source_mac_check;
}

/* What leads to who goes, guest or tunnel, must be gone before the snapshot without it is there. */
static void forget_learned(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		if (apply->gone[i])
			tp_forget_learned(appliance->ports[i]);
	for (uint32_t i = 0; i < apply->config->interface_count; i++)
		if (!learns(apply->config, i))
			tp_forget_learned(apply->ports[i]);
	tp_learning_prepare(appliance, apply->config);
}

static void grow_learned(struct tp_apply *apply)
{
	struct tp_dataplane *dataplane = apply->appliance->dataplane;
	const struct tp_learned *old = atomic_load(&dataplane->learned);

	if (apply->learned == NULL)
		return;
	if (old != NULL)
		tp_learned_copy(apply->learned, old);
	dataplane->settings.learned_macs = apply->learned_macs;
	tp_dataplane_set_learned(dataplane, apply->learned);
	apply->learned = NULL;
}

/* What they were charged so far is charged under the names that they had. */
static void close_accounts(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		if (apply->gone[i])
			tp_ledger_go(appliance->ledger, appliance->ports[i]->place);
	for (uint32_t i = 0; i < apply->config->interface_count; i++)
		if (apply->account[i] != NULL && !is_new(apply, TP_OBJECT_INTERFACE, i))
			tp_ledger_go(appliance->ledger, apply->ports[i]->place);
}

static uint32_t class_place(const struct tp_config *config, uint32_t interface)
{
	return config->classes[config->interfaces[interface].class_index].place;
}

/* Sums of classes, tenants and all go on where they are. */
static void carry(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;
	const struct tp_config *old = appliance->config;

	for (uint32_t i = 0; i < old->interface_count; i++)
		if (apply->gone[i])
			tp_carry_gone(appliance, appliance->ports[i],
				old->tenants[old->interfaces[i].tenant_index].place,
				class_place(old, i));
	for (uint32_t i = 0; i < apply->config->interface_count; i++) {
		uint32_t from = apply->diff->from[TP_OBJECT_INTERFACE][i];

		if (from != TP_NOT_THERE && class_place(old, from) != class_place(apply->config, i))
			tp_carry_class(appliance, apply->ports[i], class_place(old, from),
				class_place(apply->config, i));
	}
}

/* What was counted at a place before belongs to nobody that is still there. */
static void clear_places(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;
	const struct tp_config *config = apply->config;

	for (uint32_t c = 0; c < config->class_count; c++)
		if (is_new(apply, TP_OBJECT_CLASS, c))
			tp_carried_clear_class(appliance, config->classes[c].place);
	for (uint32_t t = 0; t < config->tenant_count; t++) {
		if (!is_new(apply, TP_OBJECT_TENANT, t))
			continue;
		tp_carried_clear_tenant(appliance, config->tenants[t].place);
		tp_budget_go(appliance, config->tenants[t].place);
	}
}

/* The same of what workers count; those who are of a new class are not served yet. */
static void clear_counted(const struct tp_apply *apply)
{
	const struct tp_config *config = apply->config;

	for (uint32_t c = 0; c < config->class_count; c++)
		if (is_new(apply, TP_OBJECT_CLASS, c))
			tp_dataplane_clear_class(
				apply->appliance->dataplane, config->classes[c].place);
}

/* --- with the snapshot ----------------------------------------------------------------------- */

/* The ports of those that go are known to the list from here on only. */
static struct tp_port **list_gone(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;
	uint32_t count = 0;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		if (apply->gone[i])
			appliance->ports[count++] = appliance->ports[i];
	appliance->ports[count] = NULL;
	return appliance->ports;
}

static void put_in_force(struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;

	tp_dataplane_publish_snapshot(appliance->dataplane, apply->snapshot);
	apply->snapshot = NULL;
	for (uint32_t i = 0; i < apply->config->interface_count; i++) {
		apply->ports[i]->config = apply->config;
		apply->ports[i]->index = i;
	}
	appliance->config = apply->config;
	appliance->ports = apply->ports;
	free(appliance->at_place);
	appliance->at_place = apply->at_place;
	appliance->places = apply->places;
	free(appliance->balance.tenant);
	appliance->balance.tenant = apply->tenant;
	apply->ports = apply->at_place = NULL;
	apply->tenant = NULL;
}

/* --- after it -------------------------------------------------------------------------------- */

/* Who had them has them again; who came to a worker that is no more, its tenant's. */
static void find_homes(const struct tp_apply *apply, struct tp_port *port)
{
	uint32_t tenant = apply->config->interfaces[port->index].tenant_index;

	for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
		unsigned home = apply->worker_to[port->kick[pair].home];

		port->kick[pair].home = home != TP_NO_WORKER
						? home
						: apply->appliance->balance.tenant[tenant].worker;
	}
}

static void give_rings_back(const struct tp_apply *apply, bool all)
{
	for (uint32_t i = 0; i < apply->config->interface_count; i++) {
		struct tp_port *port = apply->appliance->ports[i];

		if (is_new(apply, TP_OBJECT_INTERFACE, i) || (!apply->reseated[i] && !all))
			continue;
		find_homes(apply, port);
		if (!apply->reseated[i]) {
			tp_spread_give_back(port);
			continue;
		}
		port->context->bucket = port->context->flood_bucket = (struct tp_bucket){0};
		tp_spread_give_back(port);
	}
}

static void open_accounts(const struct tp_apply *apply)
{
	for (uint32_t i = 0; i < apply->config->interface_count; i++) {
		if (apply->account[i] == NULL)
			continue;
		tp_ledger_come(apply->appliance->ledger, apply->account[i],
			apply->config->interfaces[i].place);
		apply->account[i] = NULL;
	}
}

static void take_sockets_over(const struct tp_apply *apply)
{
	for (uint32_t i = 0; i < apply->config->interface_count; i++) {
		const char *path = apply->config->interfaces[i].socket;
		int result;

		if (!is_new(apply, TP_OBJECT_INTERFACE, i))
			continue;
		result = tp_vhost_take_over(apply->appliance->ports[i]->endpoint);
		if (result < 0)
			tp_log(TP_LOG_ERROR,
				"%s/%s: socket %s cannot be taken over: %s; no guest finds it "
				"until its interface is removed and added again",
				apply->config->tenants[apply->config->interfaces[i].tenant_index]
					.name,
				apply->config->interfaces[i].name, path, strerror(-result));
	}
}

/* What is said of their rings may still be on its way. */
static void keep_generation(struct tp_appliance *appliance, const struct tp_port *port)
{
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++)
		appliance->generation =
			RTE_MAX(appliance->generation, port->context->pair[pair].generation);
}

static void close_gone(struct tp_appliance *appliance, struct tp_port **gone)
{
	for (uint32_t i = 0; gone[i] != NULL; i++) {
		uint32_t place = gone[i]->place;

		keep_generation(appliance, gone[i]);
		tp_vhost_condemn(gone[i]->endpoint,
			"its interface is not in the configuration any more, or has another "
			"socket, mode or number of queue pairs");
		tp_port_close(gone[i]);
		tp_context_remove(appliance->store, place);
	}
	free(gone);
}

static void change_budgets(const struct tp_apply *apply, const struct tp_config *old)
{
	struct tp_appliance *appliance = apply->appliance;
	const struct tp_config *config = apply->config;

	for (uint32_t t = 0; t < config->tenant_count; t++) {
		uint32_t from = apply->diff->from[TP_OBJECT_TENANT][t];
		const struct tp_tenant_config *before =
			from == TP_NOT_THERE ? NULL : &old->tenants[from];
		const struct tp_tenant_config *after = &config->tenants[t];

		if (before == NULL || before->has_budget != after->has_budget ||
			before->credits_per_second != after->credits_per_second ||
			before->burst != after->burst)
			tp_budget_change(appliance, after);
	}
}

static void commit(struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;
	struct tp_config *old = appliance->config;
	bool crew = apply->crew;
	struct tp_port **gone;

	take_rings(apply);
	forget_learned(apply);
	grow_learned(apply);
	close_accounts(apply);
	if (!crew)
		tp_telemetry_hold();
	clear_places(apply);
	carry(apply);
	gone = list_gone(apply);
	put_in_force(apply);
	if (crew)
		tp_crew_change(apply);
	clear_counted(apply);
	tp_telemetry_go_on();
	open_accounts(apply);
	give_rings_back(apply, crew);
	take_sockets_over(apply);
	close_gone(appliance, gone);
	change_budgets(apply, old);
	tp_learning_change(appliance);
	tp_uplinks_change(appliance);
	tp_underlays_change(appliance);
	tp_billing_change(appliance);
	/* One that changes nothing is none that could be taken back. */
	if (apply->diff->count > 0) {
		free(appliance->previous);
		appliance->previous = old->text;
		appliance->previous_length = old->text_length;
		old->text = NULL;
	}
	tp_config_free(old);
}

/* --- all of it ------------------------------------------------------------------------------- */

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void finish(struct tp_apply *apply, const char *name, uint32_t changes)
{
	struct tp_appliance *appliance = apply->appliance;
	char *source = strdup(name);

	commit(apply);
	if (source != NULL) {
		free(appliance->source);
		appliance->source = source;
	}
	tp_log(TP_LOG_INFO, "%s: applied, %u change%s: %u interfaces of %u tenants", name, changes,
		changes == 1 ? "" : "s", appliance->config->interface_count,
		appliance->config->tenant_count);
}

json_t *tp_apply(struct tp_appliance *appliance, struct tp_config *config, const char *name,
	bool dry_run, struct tp_error *error)
{
	double began = milliseconds();
	struct tp_apply apply;
	json_t *changes = NULL;
	json_t *result = NULL;

	if (tp_apply_prepare(&apply, appliance, config, dry_run, error) < 0) {
		tp_error_prefix(error, "%s", name);
	} else {
		changes = tp_diff_to_json(apply.diff);
		result = json_pack("{s:b, s:O, s:f}", "applied", !dry_run, "changes", changes,
			"milliseconds", 0.0);
	}
	if (result != NULL && !dry_run) {
		finish(&apply, name, apply.diff->count);
		json_object_set_new(result, "milliseconds", json_real(milliseconds() - began));
	} else if (result == NULL && error->text[0] == '\0') {
		tp_error_set(error, ENOMEM, "%s: no memory", name);
	}
	tp_apply_discard(&apply);
	if (appliance->config != config)
		tp_config_free(config);
	json_decref(changes);
	return result;
}
