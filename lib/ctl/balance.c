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
#include "spread.h"

#define LOOK_MS     1000
#define BUSY        0.5  /* of its time: below this a worker needs no help */
#define DIFFERENCE  0.25 /* between busiest and idlest: below this they are alike */
#define WORTH       0.12 /* by which the difference is less when a tenant has moved */
#define RING_WORTH  0.001
#define MOST_RINGS  32  /* moved at one look */
#define CALM        0.4 /* of a worker's time: a spread tenant that needs no more fits one */
#define CALM_ENOUGH 10  /* looks in a row, until it is gathered */

bool tp_balance_choose(const double *worker_busy, unsigned workers, const struct tp_load *loads,
	uint32_t count, double worth, struct tp_move *move)
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
	for (uint32_t i = 0; i < count; i++) {
		/* What remains of the difference, whichever way it then is. */
		double rest = fabs(difference - 2 * loads[i].busy);

		if (loads[i].worker != busiest || loads[i].busy <= 0 || rest > difference - worth ||
			(best >= 0 && rest >= best))
			continue;
		best = rest;
		*move = (struct tp_move){.which = i, .from = busiest, .to = idlest};
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

/* --- Looking --- */

/** A look at everything, for one decision. Rings are counted through all ports. */
struct look {
	double *worker;         /* how busy */
	struct tp_load *tenant; /* those of spread ones are sums, and not to be moved */
	struct tp_load *ring;
	struct tp_port **port; /* of each ring */
	uint32_t rings;
};

static void end_look(struct look *look)
{
	free(look->worker);
	free(look->tenant);
	free(look->ring);
	free(look->port);
}

static bool begin_look(const struct tp_appliance *appliance, struct look *look)
{
	const struct tp_config *config = appliance->config;
	uint32_t pinned;

	look->rings = tp_config_count_rings(config, &pinned);
	look->worker = calloc(config->worker_count, sizeof(*look->worker));
	look->tenant = calloc(config->tenant_count + 1, sizeof(*look->tenant));
	look->ring = calloc(look->rings + 1, sizeof(*look->ring));
	look->port = calloc(look->rings + 1, sizeof(struct tp_port *));
	return look->worker != NULL && look->tenant != NULL && look->ring != NULL &&
	       look->port != NULL;
}

/* How busy each worker was since the last look. */
static void look_at_workers(
	struct tp_appliance *appliance, uint64_t elapsed_ms, const struct look *look)
{
	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++) {
		struct tp_worker_place *place = &appliance->balance.worker[w];
		uint64_t busy_ns = tp_busy_ns(appliance->dataplane->worker[w]);

		look->worker[w] = (double)(busy_ns - place->busy_ns) / (1e6 * (double)elapsed_ms);
		place->busy_ns = busy_ns;
		place->frames = 0;
	}
}

/* Frames of each source ring since the last look. */
static void count_frames(struct tp_appliance *appliance, const struct look *look)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		struct tp_port *port = appliance->ports[i];

		for (uint32_t pair = 0; pair < port->context->pair_count; pair++, n++) {
			const struct tp_ring_pair *ring = &port->context->pair[pair];
			uint32_t served = __atomic_load_n(&ring->served, __ATOMIC_RELAXED);

			look->port[n] = port;
			look->ring[n].worker = ring->worker;
			look->ring[n].busy = (double)(served - port->kick[pair].served);
			appliance->balance.worker[ring->worker].frames +=
				served - port->kick[pair].served;
			port->kick[pair].served = served;
		}
	}
}

/* A worker's time, shared among its rings by frames; a tenant's is that of its rings. */
static void look_at_loads(struct tp_appliance *appliance, const struct look *look)
{
	const struct tp_balance *balance = &appliance->balance;

	count_frames(appliance, look);
	for (uint32_t t = 0; t < appliance->config->tenant_count; t++)
		look->tenant[t].worker =
			balance->tenant[t].spread ? TP_NO_WORKER : balance->tenant[t].worker;
	for (uint32_t n = 0; n < look->rings; n++) {
		struct tp_load *load = &look->ring[n];
		uint64_t all = balance->worker[load->worker].frames;

		load->busy *= all == 0 ? 0 : look->worker[load->worker] / (double)all;
		look->tenant[appliance->config->interfaces[look->port[n]->index].tenant_index]
			.busy += load->busy;
	}
}

/* --- Moving --- */

static uint32_t pair_of(const struct look *look, uint32_t ring)
{
	uint32_t pair = 0;

	while (ring > pair && look->port[ring - pair - 1] == look->port[ring])
		pair++;
	return pair;
}

static void say_busy(char *reason, size_t size, const struct look *look, const struct tp_move *move)
{
	snprintf(reason, size, "worker %u was busy %.0f %%, worker %u %.0f %%", move->from,
		100 * look->worker[move->from], move->to, 100 * look->worker[move->to]);
}

/* No tenant helps if it moves: single rings may. */
static void move_rings(struct tp_appliance *appliance, const struct look *look)
{
	unsigned workers = appliance->config->worker_count;
	char reason[120];
	struct tp_move move;

	for (unsigned n = 0; n < MOST_RINGS; n++) {
		struct tp_load *load;

		if (!tp_balance_choose(
			    look->worker, workers, look->ring, look->rings, RING_WORTH, &move))
			return;
		load = &look->ring[move.which];
		say_busy(reason, sizeof(reason), look, &move);
		if (tp_balance_move_ring(appliance, look->port[move.which],
			    pair_of(look, move.which), move.to, reason) < 0)
			return;
		look->worker[move.from] -= load->busy;
		look->worker[move.to] += load->busy;
		load->worker = move.to;
	}
}

static void gather_calm(struct tp_appliance *appliance, const struct look *look)
{
	for (uint32_t t = 0; t < appliance->config->tenant_count; t++) {
		struct tp_tenant_place *place = &appliance->balance.tenant[t];

		if (!place->spread)
			continue;
		place->calm = look->tenant[t].busy < CALM ? place->calm + 1 : 0;
		if (place->calm < CALM_ENOUGH || look->worker[place->worker] > BUSY)
			continue;
		place->calm = 0;
		tp_balance_move(appliance, t, place->worker, "one worker is enough again");
	}
}

static void decide(struct tp_appliance *appliance, const struct look *look)
{
	const struct tp_config *config = appliance->config;
	char reason[120];
	struct tp_move move;

	if (tp_balance_choose(look->worker, config->worker_count, look->tenant,
		    config->tenant_count, WORTH, &move)) {
		say_busy(reason, sizeof(reason), look, &move);
		tp_balance_move(appliance, move.which, move.to, reason);
		return;
	}
	if (tp_placement_look(appliance, look->worker, look->tenant))
		return;
	move_rings(appliance, look);
	gather_calm(appliance, look);
}

void tp_balance_look(struct tp_appliance *appliance)
{
	uint64_t now = tp_loop_now_ms();
	uint64_t elapsed = now - appliance->balance.looked_ms;
	struct look look = {0};

	if (appliance->config->worker_count == 1 || elapsed < LOOK_MS)
		return;
	appliance->balance.looked_ms = now;
	if (begin_look(appliance, &look)) {
		look_at_workers(appliance, elapsed, &look);
		look_at_loads(appliance, &look);
		decide(appliance, &look);
	}
	end_look(&look);
}

static void note(struct tp_appliance *appliance, unsigned worker, const char *what,
	const char *which, const char *reason)
{
	char *text = appliance->balance.worker[worker].reason;

	snprintf(text, sizeof(appliance->balance.worker[0].reason), "%s %s: %s", which, what,
		reason);
}

void tp_balance_move(
	struct tp_appliance *appliance, uint32_t tenant, unsigned to, const char *reason)
{
	const char *name = appliance->config->tenants[tenant].name;
	unsigned from = appliance->balance.tenant[tenant].worker;

	if (tp_spread_gather(appliance, tenant, to) < 0)
		return;
	if (from != to)
		note(appliance, from, "left", name, reason);
	note(appliance, to, "came", name, reason);
	tp_log(TP_LOG_INFO, "tenant %s: to worker %u: %s", name, to, reason);
}

int tp_balance_move_ring(struct tp_appliance *appliance, struct tp_port *port, uint32_t pair,
	unsigned to, const char *reason)
{
	const struct tp_interface_config *config = &appliance->config->interfaces[port->index];
	unsigned from = port->context->pair[pair].worker;
	char which[80];
	int result = tp_spread_move(appliance, port, pair, to);

	if (result == -EALREADY)
		return 0;
	snprintf(which, sizeof(which), "%s/%s queue pair %u",
		appliance->config->tenants[config->tenant_index].name, config->name, pair);
	if (result < 0) {
		tp_log_limited(&port->warnings, TP_LOG_WARNING,
			"%s: stays at worker %u: no memory in the EAL's heap for what workers "
			"share",
			which, from);
		return result;
	}
	note(appliance, from, "left", which, reason);
	note(appliance, to, "came", which, reason);
	tp_log(TP_LOG_INFO, "%s: from worker %u to %u: %s", which, from, to, reason);
	return 0;
}
