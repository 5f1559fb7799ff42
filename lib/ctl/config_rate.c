/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "config_tables.h"

/* What shapes an interface: rate, burst, and which bytes count. */

#define FRAME_BYTES  1518                        /* a full one with a VLAN tag, without FCS */
#define BITS_MIN     (UINT64_C(8) * FRAME_BYTES) /* bit/s: one frame a second */
#define BITS_MAX     UINT64_C(100000000000000)   /* bit/s */
#define FRAMES_MAX   UINT64_C(1000000000)        /* pps */
#define BURST_MAX    (UINT64_C(1) << 30)         /* bytes */
#define BURST_MAX_NS UINT64_C(10000000000)
#define NS           UINT64_C(1000000000)

#define RATE_ACCEPTED                                                                              \
	"one frame of 1518 bytes a second or more: 12144bit/s to 100Tbit/s, or 1pps to 1000Mpps"

static const struct tp_json_key any = {.maximum = UINT64_MAX};

int tp_config_read_rate(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_rate_config *rate = field;
	bool frames;
	uint64_t number;
	int result = tp_json_read_quantity(value, &any, &tp_units_rate, &number);

	(void)key;
	if (result < 0)
		return result;
	frames = tp_units_match(json_string_value(value->json), &tp_units_frame_rate);
	if (frames ? number < 1 || number > FRAMES_MAX : number < BITS_MIN || number > BITS_MAX)
		return tp_json_refuse(value, RATE_ACCEPTED);
	*(frames ? &rate->frames_per_second : &rate->bits_per_second) = number;
	return 0;
}

int tp_config_read_burst(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_rate_config *rate = field;
	bool bytes;
	uint64_t number;
	int result = tp_json_read_quantity(value, &any, &tp_units_burst, &number);

	(void)key;
	if (result < 0)
		return result;
	bytes = tp_units_match(json_string_value(value->json), &tp_units_size);
	if (number == 0 || number > (bytes ? BURST_MAX : BURST_MAX_NS))
		return tp_json_refuse(value, "one frame or more, up to 1GiB or 10s");
	*(bytes ? &rate->burst_bytes : &rate->burst_ns) = number;
	return 0;
}

int tp_config_read_rate_layer(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_rate_config *rate = field;
	const char *word = json_string_value(value->json);

	(void)key;
	if (word == NULL || (strcmp(word, "l1") != 0 && strcmp(word, "l2") != 0))
		return tp_json_refuse(value, "\"l1\" or \"l2\"");
	rate->layer1 = strcmp(word, "l1") == 0;
	return 0;
}

void tp_config_inherit_rate(struct tp_rate_config *rate, const struct tp_rate_config *of_class)
{
	if (rate->bits_per_second == 0 && rate->frames_per_second == 0) {
		rate->bits_per_second = of_class->bits_per_second;
		rate->frames_per_second = of_class->frames_per_second;
	}
	if (rate->burst_bytes == 0 && rate->burst_ns == 0) {
		rate->burst_bytes = of_class->burst_bytes;
		rate->burst_ns = of_class->burst_ns;
	}
	rate->layer1 = of_class->layer1;
}

/* The key that has to be changed: an interface may have one of the two from its class. */
static struct tp_json_value burst_or_rate(const struct tp_json_value *value)
{
	json_t *burst = json_object_get(value->json, "burst");

	if (burst != NULL)
		return tp_json_member(value, "burst", burst);
	return tp_json_member(value, "rate", json_object_get(value->json, "rate"));
}

static int refuse_small_burst(const struct tp_json_value *value, const struct tp_rate_config *rate)
{
	struct tp_json_value place = burst_or_rate(value);

	if (rate->frames_per_second > 0)
		return tp_json_refuse(&place,
			"a burst of one frame or more, which is %" PRIu64 "ns at this rate",
			(NS + rate->frames_per_second - 1) / rate->frames_per_second);
	return tp_json_refuse(&place,
		"a burst of one frame or more: %dB, which is %" PRIu64 "ns at this rate",
		FRAME_BYTES,
		(NS * 8 * FRAME_BYTES + rate->bits_per_second - 1) / rate->bits_per_second);
}

static bool holds_a_frame(const struct tp_rate_config *rate)
{
	unsigned __int128 given;

	if (rate->burst_bytes > 0)
		return rate->burst_bytes >= FRAME_BYTES;
	if (rate->burst_ns == 0)
		return true;
	if (rate->frames_per_second > 0)
		return (unsigned __int128)rate->burst_ns * rate->frames_per_second >= NS;
	given = (unsigned __int128)rate->burst_ns * rate->bits_per_second;
	return given >= (unsigned __int128)NS * 8 * FRAME_BYTES;
}

int tp_config_check_rate(const struct tp_json_value *value, const struct tp_rate_config *rate)
{
	struct tp_json_value layer =
		tp_json_member(value, "rate_layer", json_object_get(value->json, "rate_layer"));
	struct tp_json_value place = burst_or_rate(value);

	if (layer.json != NULL && rate->bits_per_second == 0)
		return tp_json_refuse(&layer, "only together with a \"rate\" in bits");
	if (rate->bits_per_second == 0 && rate->frames_per_second == 0)
		return rate->burst_bytes == 0 && rate->burst_ns == 0
			       ? 0
			       : tp_json_refuse(&place, "only together with a \"rate\"");
	if (rate->frames_per_second > 0 && rate->burst_bytes > 0)
		return tp_json_refuse(&place,
			"a burst as a time, for example \"10ms\", together with a rate in frames; "
			"in bytes, together with a rate in bits");
	return holds_a_frame(rate) ? 0 : refuse_small_burst(value, rate);
}
