/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "guests.h"

/*
 * Two guests exchange frames throughout and lose none, while a third misbehaves. What it did is
 * seen in `show interfaces`, and its interface can be used again.
 */

#define BAD  2 /* the guest that misbehaves: interface acme/bad, MAC 3 */
#define PEER 3 /* one that it talks to, MAC 4 */

/* What an interface costs the appliance, seen from outside. */
struct footprint {
	unsigned descriptors;
	unsigned mappings;
};

/** Start the appliance, its two neighbours, and the peer. */
struct scene *with_neighbours(void **state);

/** Attach the guest that will misbehave. */
struct tp_frontend *come(struct scene *scene, const struct tp_frontend_settings *settings);

/** The appliance hangs up on it, for a reason that has these words; the neighbours lost nothing. */
void wait_thrown_out(struct scene *scene, const char *reason);

/** The interface can be used again; neighbours and sums are well; stop. */
void end_well(struct scene *scene);

/** Descriptors and mappings of the appliance while the guest is not there. */
struct footprint footprint_of(const struct scene *scene);
void expect_no_growth(const struct scene *scene, struct footprint before);
