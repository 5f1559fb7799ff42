/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "apply.h"

/*
 * Other workers: on other CPUs, more of them or fewer, or with other tables and doorbells, because
 * there is not room enough in those that they have. All begin anew: nobody serves any ring while
 * the ones return and the others begin, some milliseconds in which frames wait in their guests'
 * rings. What they have counted goes on.
 */

/** The CPU that an lcore runs on, the first if it may run on several. (DPDK's rte_lcore_to_cpu_id
 * tells of the CPU with the lcore's number, which --lcores may have mapped to another one.) */
int tp_cpu_of_lcore(unsigned lcore);

/** Does the next configuration need other workers? */
bool tp_crew_differs(const struct tp_apply *apply);

/** What a configuration asks of a dataplane. @param nodes  of its workers */
struct tp_dataplane_settings tp_crew_settings(const struct tp_config *config, const int *nodes);

/** Find out which of the present workers is which of the next ones: apply->worker_from and
 * apply->worker_to. */
void tp_crew_match(struct tp_apply *apply);

/** The NUMA node of a worker of the next configuration. */
int tp_crew_node(const struct tp_apply *apply, unsigned worker);

/**
 * Make other workers. From here on nobody serves any ring, until tp_crew_change or tp_crew_discard
 * and the rings are given back.
 * @return 0, or negative errno with *error set, everything as it was.
 */
int tp_crew_prepare(struct tp_apply *apply, struct tp_error *error);

/** Let those go that were prepared, and have the present ones serve again. */
void tp_crew_discard(struct tp_apply *apply);

/** Have the present ones return and the others begin. The snapshot is the next one already. */
void tp_crew_change(struct tp_apply *apply);
