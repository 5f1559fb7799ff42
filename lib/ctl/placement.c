/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "base/node.h"
#include "placement.h"

/* Well below what balance.c sets right, so that it does not undo the move a second later. */
#define BUSY       0.4  /* of its time: a worker that is less busy needs no help */
#define DIFFERENCE 0.15 /* between a worker and the idlest: below this they are alike */

/* @return that worker, or `count` if the node has none. */
static unsigned least_busy_on(const struct tp_placed_worker *workers, unsigned count, int node)
{
	unsigned least = count;

	for (unsigned w = 0; w < count; w++)
		if (workers[w].node == node &&
			(least == count || workers[w].busy < workers[least].busy))
			least = w;
	return least;
}

/* Would the load be in balance, as far as the worker is concerned that gets something? */
static bool is_bearable(const struct tp_placed_worker *workers, unsigned count,
	const struct tp_placed *moved, unsigned to)
{
	double after = workers[to].busy + moved->busy;
	double idlest = after;

	for (unsigned w = 0; w < count; w++) {
		double busy = workers[w].busy - (w == moved->worker ? moved->busy : 0);

		if (w != to && busy < idlest)
			idlest = busy;
	}
	return after < BUSY || after - idlest < DIFFERENCE;
}

bool tp_placement_choose(const struct tp_placed_worker *workers, unsigned worker_count,
	const struct tp_placed *all, uint32_t count, struct tp_placement *placement)
{
	bool found = false;

	for (uint32_t i = 0; i < count; i++) {
		unsigned to = least_busy_on(workers, worker_count, all[i].node);

		if (all[i].node == TP_NO_NODE || all[i].node == workers[all[i].worker].node ||
			to == worker_count || !is_bearable(workers, worker_count, &all[i], to) ||
			(found && all[i].busy <= all[placement->index].busy))
			continue;
		*placement = (struct tp_placement){.index = i, .to = to};
		found = true;
	}
	return found;
}

/* Of those that are attached and of which it is known. */
static int node_of_guests(const struct tp_appliance *appliance, uint32_t tenant)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];
	uint32_t on_node[TP_NODES_MAX] = {0};

	for (uint32_t i = 0; i < config->interface_count; i++) {
		int node = appliance->ports[config->first_interface + i]->memory_node;

		if (node != TP_NO_NODE)
			on_node[node]++;
	}
	return tp_node_majority(on_node);
}

/* @return false if it makes no difference which worker serves whom. */
static bool there_is_a_choice(const struct tp_appliance *appliance)
{
	const struct tp_dataplane *dataplane = appliance->dataplane;

	for (unsigned w = 1; w < dataplane->worker_count; w++)
		if (dataplane->worker[w]->node != dataplane->worker[0]->node)
			return true;
	return false;
}

static void move(struct tp_appliance *appliance, const struct tp_placement *placement, int node)
{
	char reason[80];

	snprintf(reason, sizeof(reason), "most of its guests' memory lies on node %d", node);
	tp_balance_move(appliance, placement->index, placement->to, reason);
}

bool tp_placement_look(
	struct tp_appliance *appliance, const double *busy, const struct tp_load *loads)
{
	const struct tp_config *config = appliance->config;
	struct tp_placed_worker workers[TP_CONFIG_WORKERS_MAX];
	struct tp_placement placement;
	struct tp_placed *tenants;
	bool due;

	if (!there_is_a_choice(appliance))
		return false;
	tenants = calloc(config->tenant_count + 1, sizeof(*tenants));
	if (tenants == NULL)
		return false;
	for (unsigned w = 0; w < config->worker_count; w++)
		workers[w] = (struct tp_placed_worker){
			.busy = busy[w], .node = appliance->dataplane->worker[w]->node};
	for (uint32_t t = 0; t < config->tenant_count; t++) {
		bool whole = loads[t].worker != TP_NO_WORKER;

		tenants[t] = (struct tp_placed){.worker = whole ? loads[t].worker : 0,
			.busy = loads[t].busy,
			.node = whole ? node_of_guests(appliance, t) : TP_NO_NODE};
	}
	due = tp_placement_choose(
		workers, config->worker_count, tenants, config->tenant_count, &placement);
	if (due)
		move(appliance, &placement, tenants[placement.index].node);
	free(tenants);
	return due;
}
