/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/resource.h>

#include "base/descriptors.h"

static unsigned kept;

void tp_descriptors_keep(unsigned count)
{
	kept = count;
}

int tp_descriptor_check(int fd, struct tp_error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || (rlim_t)fd + kept < limit.rlim_cur)
		return 0;
	return tp_error_set(error, EMFILE,
		"no descriptor is left for guests: this process may open %llu, %u of them are "
		"kept; LimitNOFILE= or prlimit raises it",
		(unsigned long long)limit.rlim_cur, kept);
}
