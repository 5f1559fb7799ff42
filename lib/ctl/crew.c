/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_memory.h>

#include "base/log.h"
#include "crew.h"
#include "ctl/plan.h"
#include "spread.h"
#include "uplinks.h"

int tp_cpu_of_lcore(unsigned lcore)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore);

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET((size_t)cpu, &cpus))
			return cpu;
	return 0;
}

/* --- what is asked --------------------------------------------------------------------------- */

static bool has_underlay(const struct tp_config *config)
{
	for (uint32_t i = 0; i < config->uplink_count; i++)
		if (config->uplinks[i].underlay.address.length != 0)
			return true;
	return false;
}

struct tp_dataplane_settings tp_crew_settings(const struct tp_config *config, const int *nodes)
{
	uint32_t pinned;

	return (struct tp_dataplane_settings){
		.workers = config->worker_count,
		.tenants = TP_CONFIG_TENANTS_MAX, /* as many as may come */
		.learned_macs = tp_learned_limit(config),
		.rings = tp_config_count_rings(config, &pinned) + TP_PLAN_SPARE_RINGS,
		.hot_contexts = config->hot_contexts,
		.stay_hot_ns = config->stay_hot_ns,
		.hot_cache = config->hot_cache,
		.sweep_budget_ns = config->sweep_budget_ns,
		.uplink_nap_ns = config->uplink_nap_ns,
		.idle_sleep = config->idle_sleep,
		.socket = SOCKET_ID_ANY,
		.worker_nodes = nodes,
		.underlays = has_underlay(config),
	};
}

bool tp_crew_differs(const struct tp_apply *apply)
{
	const struct tp_config *old = apply->appliance->config;
	const struct tp_config *new = apply->config;
	uint32_t pinned;

	return tp_config_count_rings(new, &pinned) > apply->appliance->dataplane->settings.rings ||
	       old->worker_count != new->worker_count ||
	       memcmp(old->worker_cores, new->worker_cores,
		       new->worker_count * sizeof(new->worker_cores[0])) != 0 ||
	       old->hot_contexts != new->hot_contexts || old->hot_cache != new->hot_cache ||
	       old->stay_hot_ns != new->stay_hot_ns ||
	       old->sweep_budget_ns != new->sweep_budget_ns || old->idle_sleep != new->idle_sleep;
}

/* A worker is the one on its CPU. */
void tp_crew_match(struct tp_apply *apply)
{
	const struct tp_config *old = apply->appliance->config;
	const struct tp_config *new = apply->config;

	for (unsigned w = 0; w < TP_CONFIG_WORKERS_MAX; w++)
		apply->worker_from[w] = apply->worker_to[w] = TP_NO_WORKER;
	for (unsigned w = 0; w < new->worker_count; w++)
		for (unsigned o = 0; o < old->worker_count; o++)
			if (old->worker_cores[o] == new->worker_cores[w]) {
				apply->worker_from[w] = o;
				apply->worker_to[o] = w;
			}
}

int tp_crew_node(const struct tp_apply *apply, unsigned worker)
{
	unsigned from = apply->worker_from[worker];

	/* of the CPU that it has, which EAL options may have chosen */
	return from == TP_NO_WORKER ? tp_node_of_cpu(apply->config->worker_cores[worker])
				    : apply->appliance->dataplane->worker[from]->node;
}

/* --- rings ----------------------------------------------------------------------------------- */

/* Nobody serves any ring of the ports that stay, and no kick is heard. */
static void take_all(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		tp_spread_take(appliance->ports[i]);
	tp_dataplane_leave_all(appliance->dataplane);
	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		for (uint32_t pair = 0; pair < appliance->ports[i]->context->pair_count; pair++)
			tp_kick_unhear(appliance->ports[i], pair);
}

static void give_all_back(const struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		tp_spread_give_back(appliance->ports[i]);
}

/* --- workers --------------------------------------------------------------------------------- */

/* An lcore of the EAL on this CPU that no worker has, or TP_NO_LCORE. */
static unsigned find_lcore(const struct tp_workers *before, const struct tp_apply *apply, int core)
{
	unsigned lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		bool taken = false;

		/* Those that end have ended when the others begin. */
		for (unsigned w = 0; w < before->count; w++)
			taken |= before->share[w]->lcore == lcore &&
				 apply->worker_to[w] != TP_NO_WORKER;
		if (!taken && tp_cpu_of_lcore(lcore) == core)
			return lcore;
	}
	return TP_NO_LCORE;
}

static void assign_cores(struct tp_apply *apply)
{
	struct tp_dataplane *dataplane = apply->appliance->dataplane;
	int control_cpu = tp_cpu_of_lcore(rte_get_main_lcore());

	dataplane->shared_core = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	for (unsigned w = 0; w < dataplane->worker_count; w++) {
		struct tp_worker_share *share = dataplane->worker[w];
		unsigned from = apply->worker_from[w];

		if (from != TP_NO_WORKER) {
			share->lcore = apply->before.share[from]->lcore;
			share->core = apply->before.share[from]->core;
		} else {
			share->core = apply->config->worker_cores[w];
			share->lcore = find_lcore(&apply->before, apply, share->core);
		}
		dataplane->shared_core |= share->core == control_cpu;
	}
}

static int make_balance(struct tp_apply *apply, struct tp_error *error)
{
	const struct tp_balance *present = &apply->appliance->balance;

	apply->worker = calloc(apply->config->worker_count, sizeof(*apply->worker));
	if (apply->worker == NULL)
		return tp_error_set(error, ENOMEM, "no memory");
	for (unsigned w = 0; w < apply->config->worker_count; w++) {
		if (apply->worker_from[w] != TP_NO_WORKER)
			apply->worker[w] = present->worker[apply->worker_from[w]];
		else
			strcpy(apply->worker[w].reason, "it is new");
	}
	return 0;
}

static int make_workers(struct tp_apply *apply, struct tp_error *error)
{
	struct tp_appliance *appliance = apply->appliance;
	const struct tp_worker_ops *ops = appliance->worker_ops;
	int nodes[TP_CONFIG_WORKERS_MAX] = {0};
	struct tp_dataplane_settings settings = tp_crew_settings(apply->config, nodes);

	settings.learned_macs = appliance->dataplane->settings.learned_macs;
	for (unsigned w = 0; w < settings.workers; w++)
		nodes[w] = tp_crew_node(apply, w);
	if (tp_dataplane_replace_workers(appliance->dataplane, &settings, &apply->before, error) <
		0)
		return -ENOMEM;
	assign_cores(apply);
	if (ops->prepare(ops->owner, error) == 0)
		return 0;
	tp_dataplane_restore_workers(appliance->dataplane, &apply->before);
	return -ENOMEM;
}

/* Where there are uplinks, several workers write to all destinations, but one alone does not share
 * them. */
static int make_words(struct tp_apply *apply, struct tp_error *error)
{
	if (!tp_spread_shared(apply->config))
		return 0;
	apply->words = tp_spread_words_new(apply->ports, apply->config->interface_count);
	if (apply->words == NULL)
		return tp_error_set(error, ENOMEM,
			"no memory in the EAL's heap for what several workers share of guests' "
			"rings; give it more with -m MEGABYTES before --");
	return 0;
}

int tp_crew_prepare(struct tp_apply *apply, struct tp_error *error)
{
	int result = make_balance(apply, error);

	if (result == 0)
		result = make_words(apply, error);
	if (result < 0)
		return result;
	tp_telemetry_hold();
	take_all(apply);
	result = make_workers(apply, error);
	apply->crew = result == 0;
	if (result == 0)
		return 0;
	give_all_back(apply);
	tp_telemetry_go_on();
	return result;
}

void tp_crew_discard(struct tp_apply *apply)
{
	const struct tp_worker_ops *ops = apply->appliance->worker_ops;

	tp_spread_words_free(apply->words);
	apply->words = NULL;
	if (!apply->crew)
		return;
	apply->crew = false;
	ops->discard(ops->owner);
	tp_dataplane_restore_workers(apply->appliance->dataplane, &apply->before);
	give_all_back(apply);
	tp_telemetry_go_on();
}

/* Of a worker that is no more the first one has what is of classes and tenants. */
static void inherit(const struct tp_apply *apply)
{
	struct tp_dataplane *dataplane = apply->appliance->dataplane;

	for (unsigned o = 0; o < apply->before.count; o++) {
		unsigned to = apply->worker_to[o];
		bool same = to != TP_NO_WORKER;

		tp_worker_share_inherit(dataplane->worker[same ? to : 0], apply->before.share[o],
			dataplane->settings.tenants, same);
	}
}

void tp_crew_change(struct tp_apply *apply)
{
	struct tp_appliance *appliance = apply->appliance;
	const struct tp_worker_ops *ops = appliance->worker_ops;

	tp_uplinks_settle(appliance);
	tp_workers_stop(&apply->before);
	ops->end(ops->owner);
	inherit(apply);
	if (apply->words != NULL)
		tp_spread_all(appliance->ports, appliance->config->interface_count, apply->words);
	apply->words = NULL;
	tp_uplinks_deal_out(appliance);
	ops->begin(ops->owner);
	tp_workers_free(&apply->before);
	free(appliance->balance.worker);
	appliance->balance.worker = apply->worker;
	apply->worker = NULL;
	apply->crew = false;
	tp_log(TP_LOG_INFO, "workers began anew: %u, with room for %u queue pairs",
		appliance->dataplane->worker_count, appliance->dataplane->settings.rings);
}
