/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * NUMA nodes: where a CPU is, where pages lie, where the kernel is to take memory from. Most
 * machines have one node and some do not tell: "not known" is an answer, never an error.
 *
 * For control threads: some of this asks the kernel.
 */

#define TP_NO_NODE   (-1) /* not known; or, of memory that is wanted, anywhere */
#define TP_NODES_MAX 64   /* nodes from this number on are not known */

/** How many nodes there are, 1 at least: their numbers are below it. */
unsigned tp_node_count(void);

/** The node of a CPU, or TP_NO_NODE. */
int tp_node_of_cpu(int cpu);

/**
 * The node on which most of some pages lie. Touches none of them, so that no page comes into being
 * because of the question: those that this process has not touched are not counted.
 * @param pages  an address in each page
 * @param count  1..TP_NODE_PAGES_MAX
 * @return that node, or TP_NO_NODE: none was touched, or they lie on several, half and half.
 */
#define TP_NODE_PAGES_MAX 64
int tp_node_of_pages(void *const *pages, unsigned count);

/**
 * What holds more than half of something.
 * @param on_node  how much of it is on each node, TP_NODES_MAX of them
 * @return that node, or TP_NO_NODE. Pure.
 */
int tp_node_majority(const uint32_t on_node[TP_NODES_MAX]);

/** What the kernel did before tp_node_prefer. */
struct tp_node_policy {
	int mode; /* of set_mempolicy(2), -1: nothing was changed */
	unsigned long nodes[16];
};

/**
 * Have the kernel take memory for this thread from a node while it has some, until tp_node_restore.
 * Does nothing where there is no choice.
 */
void tp_node_prefer(int node, struct tp_node_policy *before);
void tp_node_restore(const struct tp_node_policy *before);
