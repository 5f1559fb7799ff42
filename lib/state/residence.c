/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/residence.h"

#define TO(state) (1u << TP_RESIDENCE_##state)

bool tp_residence_legal(enum tp_residence from, enum tp_residence to)
{
	static const unsigned legal[TP_RESIDENCE_COUNT] = {
		[TP_RESIDENCE_COLD] = TO(HOT) | TO(PINNED),
		[TP_RESIDENCE_HOT] = TO(DRAINING) | TO(WAITING) | TO(COLD),
		[TP_RESIDENCE_DRAINING] = TO(HOT) | TO(WAITING) | TO(COLD),
		[TP_RESIDENCE_WAITING] = TO(HOT) | TO(COLD),
		[TP_RESIDENCE_PINNED] = TO(COLD),
	};

	return (unsigned)from < TP_RESIDENCE_COUNT && (legal[from] >> to & 1) != 0;
}

const char *tp_residence_name(enum tp_residence residence)
{
	static const char *const name[] = {
#define X(NAME, name) [TP_RESIDENCE_##NAME] = #name,
		TP_RESIDENCES(X)
#undef X
	};

	return (unsigned)residence < TP_RESIDENCE_COUNT ? name[residence] : "?";
}
