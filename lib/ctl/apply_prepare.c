/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <rte_common.h>
#include <rte_memory.h>

#include "accounts.h"
#include "apply.h"
#include "billing.h"
#include "cpus.h"
#include "crew.h"
#include "ctl/plan.h"
#include "ledger.h"
#include "places.h"
#include "uplinks.h"

/* What of another configuration can fail: made beside what runs, or refused. */

static const struct tp_config *present(const struct tp_apply *apply)
{
	return apply->appliance->config;
}

/* What an interface of the next configuration is in the present one, TP_NOT_THERE: new. */
static uint32_t came_from(const struct tp_apply *apply, uint32_t index)
{
	return apply->diff->from[TP_OBJECT_INTERFACE][index];
}

static int no_memory(struct tp_error *error)
{
	return tp_error_set(error, ENOMEM, "no memory");
}

static int make_room(struct tp_apply *apply, struct tp_error *error)
{
	const struct tp_config *config = apply->config;
	uint32_t count = config->interface_count;

	apply->places = RTE_MAX(
		tp_count_places(config).interfaces, tp_count_places(present(apply)).interfaces);
	apply->ports = calloc(count + 1ul, sizeof(struct tp_port *));
	apply->at_place = calloc(apply->places + 1ul, sizeof(struct tp_port *));
	apply->gone = calloc(present(apply)->interface_count + 1ul, sizeof(*apply->gone));
	apply->reseated = calloc(count + 1ul, sizeof(*apply->reseated));
	apply->tenant = calloc(config->tenant_count + 1ul, sizeof(*apply->tenant));
	apply->account = calloc(count + 1ul, sizeof(struct tp_ledger_account *));
	if (apply->ports == NULL || apply->at_place == NULL || apply->gone == NULL ||
		apply->reseated == NULL || apply->tenant == NULL || apply->account == NULL)
		return no_memory(error);
	return 0;
}

/* Guests' are beside; they are refused one by one when there are none left. */
static int check_descriptors(const struct tp_apply *apply, struct tp_error *error)
{
	unsigned long long wanted = tp_plan_first_descriptors(apply->config);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || wanted <= limit.rlim_cur)
		return 0;
	return tp_error_set(error, EMFILE,
		"descriptors: this configuration needs %llu before any guest comes, this process "
		"may open %llu; start it anew with more (LimitNOFILE= or ulimit -Hn)",
		wanted, (unsigned long long)limit.rlim_cur);
}

static int check_machine(const struct tp_apply *apply, struct tp_error *error)
{
	const struct tp_config *old = present(apply);
	const struct tp_config *new = apply->config;
	const struct tp_uplinks_control *uplinks = apply->appliance->uplinks;
	bool same = old->worker_count ==
		    new->worker_count &&memcmp(old->worker_cores, new->worker_cores,
			    new->worker_count * sizeof(new->worker_cores[0])) == 0;
	int result = check_descriptors(apply, error);

	if (result == 0 && uplinks != NULL && new->worker_count > uplinks->workers_most)
		return tp_error_set(error, EBUSY,
			"dataplane.worker_cores: found %u, and the uplinks have been given mbufs "
			"for %u workers at most: stop the appliance and start it with this file, "
			"or name fewer",
			new->worker_count, uplinks->workers_most);
	/* CPUs that EAL options have chosen instead of the file's need not be there. */
	return result < 0 || same ? result : tp_cpus_check(apply->config, error);
}

/* --- who is who ------------------------------------------------------------------------------ */

static bool same_rate(const struct tp_rate_config *a, const struct tp_rate_config *b)
{
	return a->bits_per_second == b->bits_per_second &&
	       a->frames_per_second == b->frames_per_second && a->burst_bytes == b->burst_bytes &&
	       a->burst_ns == b->burst_ns && a->layer1 == b->layer1;
}

static const struct tp_class_config *class_of(
	const struct tp_config *config, const struct tp_interface_config *interface)
{
	return &config->classes[interface->class_index];
}

static bool is_reseated(const struct tp_apply *apply, uint32_t index)
{
	const struct tp_interface_config *after = &apply->config->interfaces[index];
	const struct tp_interface_config *before =
		&present(apply)->interfaces[came_from(apply, index)];
	const struct tp_class_config *class_before = class_of(present(apply), before);
	const struct tp_class_config *class_after = class_of(apply->config, after);

	return class_before->place != class_after->place ||
	       class_before->pinned != class_after->pinned ||
	       class_before->flood_rate != class_after->flood_rate ||
	       !same_rate(&before->rate, &after->rate);
}

static bool limits_floods(const struct tp_config *config)
{
	for (uint32_t i = 0; i < config->class_count; i++)
		if (config->classes[i].flood_rate > 0)
			return true;
	return false;
}

/* What limits floods has all queue pairs of an interface at one worker (spread.c), whoever it is
 * that is limited. */
static bool is_gathered(const struct tp_apply *apply, uint32_t from)
{
	return apply->appliance->ports[from]->context->spread && !limits_floods(present(apply)) &&
	       limits_floods(apply->config);
}

static void find_who_stays(struct tp_apply *apply)
{
	for (uint32_t i = 0; i < present(apply)->interface_count; i++)
		apply->gone[i] = true;
	for (uint32_t i = 0; i < apply->config->interface_count; i++) {
		uint32_t from = came_from(apply, i);

		if (from == TP_NOT_THERE)
			continue;
		apply->gone[from] = false;
		apply->reseated[i] = is_reseated(apply, i) || is_gathered(apply, from);
		apply->ports[i] = apply->appliance->ports[from];
		apply->at_place[apply->ports[i]->place] = apply->ports[i];
	}
}

/* The worker that has the fewest interfaces, the new tenants' among them. */
static unsigned choose_worker(const uint32_t *interfaces, unsigned workers)
{
	unsigned least = 0;

	for (unsigned w = 1; w < workers; w++)
		if (interfaces[w] < interfaces[least])
			least = w;
	return least;
}

static void place_tenants(struct tp_apply *apply)
{
	const uint32_t *from = apply->diff->from[TP_OBJECT_TENANT];
	uint32_t interfaces[TP_CONFIG_WORKERS_MAX] = {0};

	for (uint32_t t = 0; t < apply->config->tenant_count; t++) {
		apply->tenant[t].worker = TP_NO_WORKER;
		if (from[t] == TP_NOT_THERE)
			continue;
		apply->tenant[t] = apply->appliance->balance.tenant[from[t]];
		apply->tenant[t].worker = apply->worker_to[apply->tenant[t].worker];
		if (apply->tenant[t].worker != TP_NO_WORKER)
			interfaces[apply->tenant[t].worker] +=
				apply->config->tenants[t].interface_count;
	}
	for (uint32_t t = 0; t < apply->config->tenant_count; t++) {
		if (apply->tenant[t].worker != TP_NO_WORKER)
			continue;
		apply->tenant[t].worker = choose_worker(interfaces, apply->config->worker_count);
		interfaces[apply->tenant[t].worker] +=
			1 + apply->config->tenants[t].interface_count;
	}
}

/* --- ports ----------------------------------------------------------------------------------- */

static int compare_paths(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The sockets that ports serve which go; sorted. @return NULL: no memory. */
static const char **paths_that_go(const struct tp_apply *apply, uint32_t *count)
{
	const struct tp_config *config = present(apply);
	const char **paths = calloc(config->interface_count + 1ul, sizeof(char *));

	*count = 0;
	for (uint32_t i = 0; i < config->interface_count && paths != NULL; i++)
		if (apply->gone[i] && !config->interfaces[i].client)
			paths[(*count)++] = config->interfaces[i].socket;
	if (paths != NULL)
		qsort(paths, *count, sizeof(*paths), compare_paths);
	return paths;
}

static int open_port(struct tp_apply *apply, uint32_t index, bool succeeds, struct tp_error *error)
{
	struct tp_appliance *appliance = apply->appliance;
	const struct tp_interface_config *interface = &apply->config->interfaces[index];
	const struct tp_tenant_place *tenant = &apply->tenant[interface->tenant_index];
	int node = tp_crew_node(apply, tenant->worker);
	struct tp_port *port;

	if (tp_context_add(appliance->store, interface->place, interface->queue_pairs, node,
		    appliance->generation) == NULL)
		return tp_error_set(error, ENOMEM,
			"contexts: %u interfaces are more than the EAL's heap has room for; give "
			"it more with -m MEGABYTES before -- at the next start",
			apply->config->interface_count);
	port = tp_port_open(appliance, apply->config, index, tenant, succeeds, error);
	if (port == NULL) {
		tp_context_remove(appliance->store, interface->place);
		return -EINVAL;
	}
	apply->ports[index] = apply->at_place[port->place] = port;
	return 0;
}

static int open_ports(struct tp_apply *apply, struct tp_error *error)
{
	uint32_t going;
	const char **paths = paths_that_go(apply, &going);
	int result = paths == NULL ? no_memory(error) : 0;

	for (uint32_t i = 0; i < apply->config->interface_count && result == 0; i++) {
		const char *path = apply->config->interfaces[i].socket;

		if (came_from(apply, i) == TP_NOT_THERE)
			result = open_port(apply, i,
				bsearch(&path, paths, going, sizeof(*paths), compare_paths) != NULL,
				error);
	}
	free(paths);
	return result;
}

/* --- the rest -------------------------------------------------------------------------------- */

/* Of who is charged under other names from now on. */
static int open_accounts(struct tp_apply *apply, struct tp_error *error)
{
	const struct tp_config *config = apply->config;
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->interface_count; i++) {
		const struct tp_interface_config *interface = &config->interfaces[i];
		const struct tp_charge names = {
			.tenant = config->tenants[interface->tenant_index].name,
			.interface = interface->name,
			.class = class_of(config, interface)->name,
		};
		uint32_t from = came_from(apply, i);

		if (from != TP_NOT_THERE &&
			class_of(present(apply), &present(apply)->interfaces[from])->place ==
				class_of(config, interface)->place)
			continue;
		apply->account[i] = tp_ledger_account_new(&names);
		if (apply->account[i] == NULL)
			return no_memory(error);
		count++;
	}
	if (tp_ledger_reserve(apply->appliance->ledger, count, apply->places) < 0)
		return no_memory(error);
	return 0;
}

static int prepare_learning(struct tp_apply *apply, struct tp_error *error)
{
	struct tp_dataplane *dataplane = apply->appliance->dataplane;
	uint32_t limit = tp_learned_limit(apply->config);

	if (limit <= dataplane->settings.learned_macs)
		return 0;
	apply->learned_macs = limit;
	apply->learned = tp_learned_new(limit, SOCKET_ID_ANY, dataplane->qsbr, error);
	return apply->learned == NULL ? -ENOMEM : 0;
}

/* Uplinks neither come nor go (tp_diff_check). They keep the numbers that workers know, in whatever
 * order the file has them. */
static int keep_uplink_numbers(struct tp_apply *apply, struct tp_error *error)
{
	struct tp_config *config = apply->config;
	const uint32_t *from = apply->diff->from[TP_OBJECT_UPLINK];
	struct tp_uplink_config *ordered = calloc(config->uplink_count + 1, sizeof(*ordered));

	if (ordered == NULL)
		return no_memory(error);
	for (uint32_t i = 0; i < config->uplink_count; i++)
		ordered[from[i]] = config->uplinks[i];
	for (uint32_t t = 0; t < config->tenant_count; t++) {
		struct tp_network_config *network = &config->tenants[t].network;

		if (network->kind != TP_NETWORK_NONE)
			network->uplink_index = from[network->uplink_index];
	}
	free(config->uplinks);
	config->uplinks = ordered;
	return 0;
}

int tp_apply_prepare(struct tp_apply *apply, struct tp_appliance *appliance,
	struct tp_config *config, bool dry_run, struct tp_error *error)
{
	int result;

	*apply = (struct tp_apply){.appliance = appliance, .config = config};
	apply->diff = tp_diff_new(appliance->config, config);
	if (apply->diff == NULL)
		return no_memory(error);
	result = tp_diff_check(apply->diff, error);
	if (result == 0)
		result = tp_accounts_find(config, error);
	if (result == 0)
		result = tp_places_assign(apply->diff, config, error);
	if (result == 0)
		result = keep_uplink_numbers(apply, error);
	if (result == 0)
		result = check_machine(apply, error);
	if (result < 0 || dry_run)
		return result;
	if (make_room(apply, error) < 0)
		return -ENOMEM;
	tp_crew_match(apply);
	find_who_stays(apply);
	place_tenants(apply);
	result = open_ports(apply, error);
	if (result == 0)
		result = open_accounts(apply, error);
	if (result == 0)
		result = prepare_learning(apply, error);
	if (result < 0)
		return result;
	apply->snapshot = tp_compile(config, appliance->store,
		appliance->uplinks == NULL ? NULL : appliance->uplinks->uplink,
		appliance->underlays, error);
	if (apply->snapshot == NULL)
		return -ENOMEM;
	return tp_crew_differs(apply) ? tp_crew_prepare(apply, error) : 0;
}

void tp_apply_discard(struct tp_apply *apply)
{
	uint32_t count = apply->config->interface_count;

	for (uint32_t i = 0; apply->account != NULL && i < count; i++)
		tp_ledger_account_free(apply->account[i]);
	for (uint32_t i = 0; apply->ports != NULL && i < count; i++) {
		if (came_from(apply, i) != TP_NOT_THERE || apply->ports[i] == NULL)
			continue;
		tp_port_close(apply->ports[i]);
		tp_context_remove(apply->appliance->store, apply->config->interfaces[i].place);
	}
	tp_crew_discard(apply);
	tp_snapshot_free(apply->snapshot);
	free(apply->worker);
	tp_learned_free(apply->learned);
	free(apply->ports);
	free(apply->at_place);
	free(apply->gone);
	free(apply->reseated);
	free(apply->tenant);
	free(apply->account);
	tp_diff_free(apply->diff);
	*apply = (struct tp_apply){0};
}
