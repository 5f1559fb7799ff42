/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "appliance_private.h"
#include "diff.h"

/*
 * Another configuration for a running appliance. Everything that can fail is done first, beside
 * what runs (apply_prepare.c); then it takes force at once, by one snapshot, and nothing of that
 * can fail (apply.c). Frames of what does not change flow on.
 *
 * What is done to an interface:
 *
 *   new                           context, endpoint and account before; its place with the snapshot
 *   gone                          its rings are retired and no worker has them before the snapshot
 *                                 without it; then its endpoint closes, its context is free
 *   socket, mode, queue pairs     as gone and new, in one step
 *   other class, rate or pin      nobody serves its source rings while the snapshot changes, so
 *                                 that each of its frames is the one class's or the other's; they
 *                                 wait in the guest's ring
 *   anything else                 nothing but the snapshot
 *
 * Where other workers are needed (crew.h) nobody serves anything for some milliseconds.
 */

struct tp_apply {
	struct tp_appliance *appliance;
	struct tp_config *config; /* the next one; the appliance's when it is in force */
	struct tp_diff *diff;
	struct tp_port **ports;    /* of the next one, by index */
	struct tp_port **at_place; /* the same by place */
	uint32_t places;
	bool *gone;     /* of the present ones, by index */
	bool *reseated; /* of the next ones: nobody serves it while the snapshot changes */
	struct tp_tenant_place *tenant;
	struct tp_ledger_account **account; /* of the next ones; NULL: the one that it has */
	struct tp_learned *learned; /* a larger one, NULL: the present one is large enough */
	uint32_t learned_macs;
	struct tp_snapshot *snapshot;
	/* crew.h */
	bool crew;                                   /* other workers are made */
	unsigned worker_from[TP_CONFIG_WORKERS_MAX]; /* which of the present ones each next one
							is, or TP_NO_WORKER */
	unsigned worker_to[TP_CONFIG_WORKERS_MAX];   /* and the reverse */
	struct tp_worker_place *worker;              /* of the next ones */
	struct tp_workers before;                    /* the present ones, while crew is set */
	struct tp_spread_words *words; /* for several workers in place of one, or NULL */
};

/**
 * Prepare another configuration. Nothing changes.
 * @param config   checked; not taken
 * @param dry_run  it will not take force: nothing is made, no socket either; only what the two
 *                 configurations tell is refused
 * @return 0, or negative errno with *error set. In both cases tp_apply_discard gives back what was
 * prepared, unless it took force. Threading: control, as all functions here.
 */
int tp_apply_prepare(struct tp_apply *apply, struct tp_appliance *appliance,
	struct tp_config *config, bool dry_run, struct tp_error *error);

/** Give back what was prepared and did not take force. */
void tp_apply_discard(struct tp_apply *apply);

/**
 * Apply another configuration, or only tell what would change.
 *
 * @param config   checked; taken
 * @param name     of where it comes from, for `show` and the log
 * @param dry_run  only tell, see tp_apply_prepare
 * @return {"applied":true,"changes":[...],"milliseconds":1.5}, where changes are
 * tp_diff_to_json's; or NULL with *error set: nothing has changed.
 */
json_t *tp_apply(struct tp_appliance *appliance, struct tp_config *config, const char *name,
	bool dry_run, struct tp_error *error);
