/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/resource.h>

#include <rte_errno.h>

#include "ctl/eal_failure.h"
#include "ctl/plan.h"

#define ABOVE "EAL: %s (its own messages stand above)"

/* DPDK reserves addresses for all memory that it might ever take, which is hundreds of GB. */
static int explain_address_space(int code, unsigned long long bytes, struct tp_error *error)
{
	return tp_error_set(error, code,
		ABOVE ". The address space of this process is limited to %llu MiB, and DPDK "
		      "reserves far more than it uses: lift LimitAS= or ulimit -v",
		rte_strerror(code), bytes >> 20);
}

static int explain_hugepages(int code, struct tp_error *error)
{
	return tp_error_set(error, code,
		ABOVE ". If it is for want of hugepages: %llu MiB are free in pages of 2 MiB; more "
		      "into vm.nr_hugepages reserves them (turnpike plan tells how many), "
		      "--in-memory needs no mount of hugetlbfs, and without -m, --socket-mem and "
		      "the like small pages are taken where there are too few",
		rte_strerror(code), (unsigned long long)tp_plan_free_memory() >> 20);
}

int tp_eal_explain(int code, struct tp_error *error)
{
	struct rlimit limit;

	if (code == ENOMEM && getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		return explain_address_space(code, limit.rlim_cur, error);
	if (code == ENOMEM || code == EACCES)
		return explain_hugepages(code, error);
	return tp_error_set(error, code, ABOVE, rte_strerror(code));
}
