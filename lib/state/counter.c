/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/counter.h"

const char *tp_counter_name(enum tp_counter counter)
{
	static const char *const names[] = {
#define X(NAME, name, help) #name,
		TP_COUNTERS(X)
#undef X
	};

	return names[counter];
}

const char *tp_counter_help(enum tp_counter counter)
{
	static const char *const helps[] = {
#define X(NAME, name, help) help,
		TP_COUNTERS(X)
#undef X
	};

	return helps[counter];
}

const char *tp_drop_name(enum tp_drop drop)
{
	static const char *const names[] = {"none",
#define X(NAME, name, help) #name,
		TP_DROPS(X)
#undef X
	};

	return names[drop];
}

const char *tp_drop_help(enum tp_drop drop)
{
	static const char *const helps[] = {"not dropped",
#define X(NAME, name, help) help,
		TP_DROPS(X)
#undef X
	};

	return helps[drop];
}
