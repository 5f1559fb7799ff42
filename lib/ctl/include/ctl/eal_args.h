/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "ctl/config.h"

/*
 * From a configuration to the arguments of rte_eal_init. What the operator wrote before "--" comes
 * first and wins: an option of ours that it covers is left out.
 */

struct tp_eal_args {
	int count;
	char **argument; /* NULL-terminated, as rte_eal_init takes them */
};

/**
 * Derive the arguments: lcores (main lcore 0 on the control core, workers 1.. on theirs), no PCI
 * scan, memory without files, hugepages if there are enough free ones.
 *
 * @param program   argv[0]
 * @param given     what stood before "--", given_count strings
 * @param notice    a line for the operator if hugepages are missing, "" otherwise; 256 bytes
 * @return 0 with *args filled in, or -ENOMEM with *error set. Threading: any.
 */
int tp_eal_args_derive(const struct tp_config *config, const char *program, char *const *given,
	int given_count, struct tp_eal_args *args, char notice[256], struct tp_error *error);

/** Free what tp_eal_args_derive filled in. */
void tp_eal_args_free(struct tp_eal_args *args);
