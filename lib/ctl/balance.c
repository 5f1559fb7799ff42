/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "base/log.h"
#include "figures.h"
#include "placement.h"

#define LOOK_MS    1000
#define BUSY       0.5  /* of its time: below this a worker needs no help */
#define DIFFERENCE 0.25 /* between busiest and idlest: below this they are alike */

bool tp_balance_choose(const double *worker_busy, unsigned workers,
	const struct tp_tenant_load *tenants, uint32_t tenant_count, struct tp_move *move)
{
	unsigned busiest = 0;
	unsigned idlest = 0;
	double difference;
	double best = -1;

	for (unsigned w = 1; w < workers; w++) {
		if (worker_busy[w] > worker_busy[busiest])
			busiest = w;
		if (worker_busy[w] < worker_busy[idlest])
			idlest = w;
	}
	difference = worker_busy[busiest] - worker_busy[idlest];
	if (worker_busy[busiest] < BUSY || difference < DIFFERENCE)
		return false;
	for (uint32_t t = 0; t < tenant_count; t++) {
		/* What remains of the difference, whichever way it then is. */
		double rest = fabs(difference - 2 * tenants[t].busy);

		if (tenants[t].worker != busiest || tenants[t].busy <= 0 ||
			rest > difference - DIFFERENCE / 2 || (best >= 0 && rest >= best))
			continue;
		best = rest;
		*move = (struct tp_move){.tenant = t, .from = busiest, .to = idlest};
	}
	return best >= 0;
}

int tp_balance_open(struct tp_appliance *appliance)
{
	const struct tp_config *config = appliance->config;
	struct tp_balance *balance = &appliance->balance;

	balance->tenant = calloc(config->tenant_count + 1, sizeof(*balance->tenant));
	balance->worker = calloc(config->worker_count, sizeof(*balance->worker));
	if (balance->tenant == NULL || balance->worker == NULL)
		return -ENOMEM;
	for (uint32_t t = 0; t < config->tenant_count; t++)
		balance->tenant[t].worker = tp_config_first_worker(config, t);
	for (unsigned w = 0; w < config->worker_count; w++)
		strcpy(balance->worker[w].reason, "tenants dealt out in order");
	return 0;
}

void tp_balance_close(struct tp_appliance *appliance)
{
	free(appliance->balance.tenant);
	free(appliance->balance.worker);
	appliance->balance = (struct tp_balance){0};
}

static uint64_t frames_of(const struct tp_appliance *appliance, uint32_t tenant)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];
	uint64_t frames = 0;

	for (uint32_t i = 0; i < config->interface_count; i++)
		frames += tp_counter_read(&appliance->ports[config->first_interface + i]
						   .context->counters.value[TP_COUNTER_TX_FRAMES]);
	return frames;
}

/* How busy each worker was since the last look. */
static void look_at_workers(struct tp_appliance *appliance, uint64_t elapsed_ms, double *busy)
{
	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++) {
		struct tp_worker_place *place = &appliance->balance.worker[w];
		uint64_t busy_ns = tp_busy_ns(appliance->dataplane->worker[w]);

		busy[w] = (double)(busy_ns - place->busy_ns) / (1e6 * (double)elapsed_ms);
		place->busy_ns = busy_ns;
		place->frames = 0;
	}
}

/* A worker's time, shared among its tenants by frames. */
static void look_at_tenants(
	struct tp_appliance *appliance, const double *busy, struct tp_tenant_load *loads)
{
	struct tp_balance *balance = &appliance->balance;

	for (uint32_t t = 0; t < appliance->config->tenant_count; t++) {
		struct tp_tenant_place *place = &balance->tenant[t];
		uint64_t frames = frames_of(appliance, t);

		loads[t].worker = place->worker;
		loads[t].busy = (double)(frames - place->frames);
		balance->worker[place->worker].frames += frames - place->frames;
		place->frames = frames;
	}
	for (uint32_t t = 0; t < appliance->config->tenant_count; t++) {
		uint64_t all = balance->worker[loads[t].worker].frames;

		loads[t].busy *= all == 0 ? 0 : busy[loads[t].worker] / (double)all;
	}
}

void tp_balance_look(struct tp_appliance *appliance)
{
	const struct tp_config *config = appliance->config;
	struct tp_balance *balance = &appliance->balance;
	uint64_t now = tp_loop_now_ms();
	uint64_t elapsed = now - balance->looked_ms;
	struct tp_tenant_load *loads;
	struct tp_move move;
	double *busy;

	if (config->worker_count == 1 || elapsed < LOOK_MS)
		return;
	balance->looked_ms = now;
	busy = calloc(config->worker_count, sizeof(*busy));
	loads = calloc(config->tenant_count + 1, sizeof(*loads));
	if (busy != NULL && loads != NULL) {
		look_at_workers(appliance, elapsed, busy);
		look_at_tenants(appliance, busy, loads);
		if (tp_balance_choose(
			    busy, config->worker_count, loads, config->tenant_count, &move)) {
			char reason[sizeof(balance->worker[0].reason)];

			snprintf(reason, sizeof(reason),
				"worker %u was busy %.0f %%, worker %u %.0f %%", move.from,
				100 * busy[move.from], move.to, 100 * busy[move.to]);
			tp_balance_move(appliance, move.tenant, move.to, reason);
		} else {
			tp_placement_look(appliance, busy, loads);
		}
	}
	free(busy);
	free(loads);
}

/* No worker serves the interface now: the new one does, and its doorbells. */
static void give_port(struct tp_port *port, unsigned to)
{
	int kick_fd[TP_VHOST_QUEUE_PAIRS_MAX];

	for (uint32_t pair = 0; pair < port->context->pair_count; pair++)
		if (tp_vring_running(&port->context->pair[pair].tx)) {
			kick_fd[pair] = port->kick[pair].fd;
			tp_kick_stop(port, pair);
			tp_kick_prepare(port, pair);
		}
	/* release: partner is the acquire load of a worker that looks whether it is its own */
	atomic_store_explicit(&port->context->worker, (uint16_t)to, memory_order_release);
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++)
		if (tp_vring_running(&port->context->pair[pair].tx))
			tp_kick_start(port, pair, kick_fd[pair]);
}

void tp_balance_move(
	struct tp_appliance *appliance, uint32_t tenant, unsigned to, const char *reason)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];
	struct tp_balance *balance = &appliance->balance;
	unsigned from = balance->tenant[tenant].worker;

	if (from == to)
		return;
	for (uint32_t i = 0; i < config->interface_count; i++)
		appliance->ports[config->first_interface + i].context->worker = TP_NO_WORKER;
	tp_dataplane_leave(appliance->dataplane, from);
	for (uint32_t i = 0; i < config->interface_count; i++)
		give_port(&appliance->ports[config->first_interface + i], to);
	balance->tenant[tenant].worker = to;
	snprintf(balance->worker[to].reason, sizeof(balance->worker[to].reason), "%s came: %s",
		config->name, reason);
	snprintf(balance->worker[from].reason, sizeof(balance->worker[from].reason), "%s left: %s",
		config->name, reason);
	tp_log(TP_LOG_INFO, "tenant %s: from worker %u to %u: %s", config->name, from, to, reason);
}
