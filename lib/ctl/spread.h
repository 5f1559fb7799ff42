/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "appliance_private.h"

/*
 * Who serves whom. A source ring is served by one worker. While all rings of a tenant are served by
 * the same one, each destination has one writer and counters have one, which is cheaper; a tenant
 * that one worker cannot serve is spread: each of its source rings may be served by any worker, and
 * its destinations and counters are shared (vring/split_destination.h).
 *
 * Rings move while frames flow: they wait in their ring meanwhile, so none is lost or overtaken.
 * Everything here: control thread.
 */

/** One worker serves all of a tenant, now. @return 0, or -EALREADY if that is so. */
int tp_spread_gather(struct tp_appliance *appliance, uint32_t tenant, unsigned worker);

/**
 * A worker serves one source ring of a tenant, which is spread from now on. All rings of an
 * interface that has a rate go with it.
 * @return 0; -EALREADY if that is so; -ENOMEM: there is no memory for what the workers share
 */
int tp_spread_move(
	struct tp_appliance *appliance, struct tp_port *port, uint32_t pair, unsigned worker);

/**
 * Before a receive ring starts: what many workers need to write to it.
 * @param size  of the ring
 * @param baton  NULL if the tenant is not spread, else a word for each place
 * @return 0, or -ENOMEM
 */
int tp_spread_ring_prepare(const struct tp_port *port, uint16_t size, uint16_t **baton);

/** A receive ring has stopped, no worker uses it. */
void tp_spread_ring_stopped(struct tp_vring *ring);

/**
 * Let nobody serve the rings of an interface; whoever did is to be waited for (tp_dataplane_leave).
 * And have the same workers serve them again as if they had just started; all of them together if
 * it has a rate now.
 */
void tp_spread_take(struct tp_port *port);
void tp_spread_give_back(struct tp_port *port);

/**
 * Do several workers write to destinations even of a tenant whose rings one serves? Frames of an
 * uplink come in at the workers that own its queues; and where there are uplinks, a tenant may get
 * a network while it runs.
 */
bool tp_spread_shared(const struct tp_config *config);

/**
 * What several workers need to write to the rings of all these ports that run, before there are
 * several (tp_spread_shared). @return NULL: no memory. tp_spread_words_free takes NULL, too.
 */
struct tp_spread_words *tp_spread_words_new(struct tp_port *const *ports, uint32_t count);
void tp_spread_words_free(struct tp_spread_words *words);

/** They may, from now on; nobody writes to the rings, and none has started or stopped since. The
 * words are the rings' then. */
void tp_spread_all(struct tp_port *const *ports, uint32_t count, struct tp_spread_words *words);

/** Is the tenant spread? */
bool tp_spread_is(const struct tp_appliance *appliance, uint32_t tenant);
