/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shaper.h"
#include "vring/view.h"

/* The arithmetic of rates, with a clock that the test moves. */

static const uint64_t clocks[] = {1000000000, 1996250000, 2600000007, 5000000000};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

/* A sender that always has frames of one length, and a worker that looks at it. */
struct sender {
	struct tp_shape shape;
	struct tp_bucket bucket;
	uint64_t hz;
	uint64_t now;
	uint32_t length;
	uint64_t frames; /* sent */
	unsigned most;   /* frames of a burst */
};

static void begin(struct sender *sender, const struct tp_rate *rate, uint64_t hz, uint32_t length)
{
	*sender = (struct sender){
		.shape = tp_shape_make(rate, hz), .hz = hz, .length = length, .now = hz * 3600};
}

/* One look, as path/sweep.c and path/afford.h take it. @return frames sent. */
static unsigned look(struct sender *sender)
{
	const struct tp_shape *shape = &sender->shape;
	uint64_t units, most, spent = 0;
	unsigned frames = 0;

	if (!tp_shaper_pays(&sender->bucket, sender->now))
		return 0;
	units = tp_shaper_units(shape, &sender->bucket, sender->now);
	most = tp_shaper_frames(shape, units);
	for (; frames < TP_BURST && frames < most && spent < units; frames++)
		spent += shape->frame_units + (uint64_t)sender->length * shape->byte_units;
	tp_shaper_charge(
		shape, &sender->bucket, sender->now, frames, (uint64_t)frames * sender->length);
	sender->frames += frames;
	if (frames > sender->most)
		sender->most = frames;
	return frames;
}

/* Sends until `until`; a burst takes 100 ns, and who waits is looked at up to 20 us late. */
static void send_until(struct sender *sender, uint64_t until)
{
	while (sender->now < until) {
		if (look(sender) > 0) {
			sender->now += sender->hz / 10000000;
			continue;
		}
		sender->now =
			tp_shaper_back_at(&sender->shape, &sender->bucket, sender->hz / 100000);
		sender->now += sender->hz / 50000 * ((uint64_t)rand() % 1000) / 1000;
	}
}

/* @return how much more than its rate was sent in so many seconds, in per mille. */
static double error_after(const struct tp_rate *rate, uint64_t hz, uint32_t length, double seconds)
{
	struct sender sender;
	uint64_t bits = 8 * (length + (rate->layer1 ? 24 : 0));
	double expected;

	begin(&sender, rate, hz, length);
	send_until(&sender, sender.now + (uint64_t)(seconds * (double)hz));
	expected = rate->bits_per_second > 0
			   ? (double)rate->bits_per_second / (double)bits * seconds
			   : (double)rate->frames_per_second * seconds;
	return ((double)sender.frames / expected - 1) * 1000;
}

static void test_a_second_is_exact(void **state)
{
	static const uint64_t rates[] = {
		10000000, 33333333, 100000000, 1000000000, 2500000000, 10000000000, 100000000000};
	static const uint32_t lengths[] = {64, 594, 1500};

	(void)state;
	srand(1);
	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (unsigned l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
			for (unsigned c = 0; c < CLOCKS; c++)
				for (unsigned layer1 = 0; layer1 < 2; layer1++) {
					const struct tp_rate rate = {
						.bits_per_second = rates[r], .layer1 = layer1};
					double error = error_after(&rate, clocks[c], lengths[l], 1);

					if (error < -5 || error > 5)
						fail_msg("%u bytes at %ju bit/s: %g per mille",
							lengths[l], (uintmax_t)rates[r], error);
				}
}

/* What is over after a second is the burst, and the frame that was the last. */
static void test_rates_of_frames(void **state)
{
	static const uint64_t rates[] = {1, 2, 7, 1000, 99999, 1000000, 14880952, 150000000};

	(void)state;
	srand(2);
	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (unsigned c = 0; c < CLOCKS; c++) {
			const struct tp_rate rate = {.frames_per_second = rates[r]};
			double seconds = rates[r] < 10 ? 1000 : 1;
			struct sender sender;
			double over;

			begin(&sender, &rate, clocks[c], 1500);
			send_until(&sender, sender.now + (uint64_t)(seconds * (double)clocks[c]));
			over = (double)sender.frames - seconds * (double)rates[r];
			if (over < -0.0001 * (double)sender.frames - 1 ||
				over > 0.0012 * (double)sender.frames + 2)
				fail_msg("%ju pps: %g frames too many", (uintmax_t)rates[r], over);
		}
}

/* The worker is away for less than a burst at a time: nothing is lost. */
static void test_lateness_costs_nothing(void **state)
{
	const struct tp_rate rate = {.bits_per_second = 10000000};
	struct sender sender;

	(void)state;
	begin(&sender, &rate, clocks[1], 1500);
	for (unsigned i = 0; i < 100000; i++) {
		look(&sender);
		sender.now += sender.hz / 1000 + (uint64_t)rand() % (sender.hz / 10000);
	}
	/* 1518 bytes, the least burst, are 1.21 ms; a look every 1.05 ms or so, a frame every 1.2
	 */
	assert_in_range(sender.frames * 1200,
		(sender.now - sender.hz * 3600) / (sender.hz / 1000000) * 999 / 1000,
		(sender.now - sender.hz * 3600) / (sender.hz / 1000000) * 1001 / 1000 + 2400);
}

static void test_one_frame_at_a_time_at_a_low_rate(void **state)
{
	const struct tp_rate rate = {.bits_per_second = 10000000};
	struct sender sender;
	uint64_t before;

	(void)state;
	begin(&sender, &rate, 2000000000, 1500);
	assert_int_equal(look(&sender), 2); /* the burst, and the frame that leaves a debt */
	before = sender.now;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t back =
			tp_shaper_back_at(&sender.shape, &sender.bucket, sender.hz / 100000);

		sender.now = back - sender.hz / 50000;
		assert_int_equal(look(&sender), 0);
		sender.now = back;
		assert_int_equal(look(&sender), 1);
	}
	/* 1.2 ms each, but for the debt of the first: 1482 bytes */
	assert_in_range((sender.now - before) / 1000, 2400 * 999 + 2300, 2400 * 999 + 2500);
}

/* @return bytes sent at once after so many bursts' time of silence. */
static uint64_t burst_after(const struct tp_rate *rate, uint32_t length, double bursts)
{
	struct sender sender;

	begin(&sender, rate, 2600000000, length);
	sender.bucket.empty_at = sender.now - (uint64_t)(bursts * (double)sender.shape.burst);
	while (look(&sender) > 0)
		continue;
	return sender.frames * length;
}

static void test_bursts(void **state)
{
	static const struct {
		struct tp_rate rate;
		uint32_t length;
		uint64_t least; /* bytes; the last frame may come on top */
	} bursts[] = {
		{{.bits_per_second = 1000000000, .burst_bytes = 65536}, 64, 65536},
		{{.bits_per_second = 1000000000, .burst_bytes = 65536}, 1500, 65536},
		{{.bits_per_second = 1000000000, .burst_ns = 2000000}, 100, 250000},
		{{.bits_per_second = 1000000000}, 100, 125000},
		{{.bits_per_second = 10000000}, 60, 1518}, /* 1 ms is less than a frame */
		{{.bits_per_second = 10000000}, 1500, 1518},
		{{.frames_per_second = 50000}, 1, 50},
		{{.frames_per_second = 50000, .burst_ns = 10000000}, 1, 500},
		{{.frames_per_second = 7}, 1, 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		for (double silence = 1; silence < 1000; silence *= 1.4) {
			uint64_t found = burst_after(&bursts[i].rate, bursts[i].length, silence);

			if (found < bursts[i].least || found > bursts[i].least + bursts[i].length)
				fail_msg("burst %u: %ju bytes", i, (uintmax_t)found);
		}
	}
}

static void test_layer_1_counts_24_bytes_more(void **state)
{
	const struct tp_rate on_wire = {.bits_per_second = 1000000000, .layer1 = true};
	const struct tp_rate of_frame = {.bits_per_second = 1000000000};
	struct sender wire, frame;

	(void)state;
	begin(&wire, &on_wire, 2000000000, 60);
	begin(&frame, &of_frame, 2000000000, 60);
	send_until(&wire, wire.now + wire.hz);
	send_until(&frame, frame.now + frame.hz);
	/* 84 and 60 bytes: 1488095 and 2083333 frames */
	assert_in_range(wire.frames, 1488095 - 20, 1488095 * 1.002);
	assert_in_range(frame.frames, 2083333 - 20, 2083333 * 1.002);
}

/* Frames one by one are charged as the same frames at once, to the last 2^-24 of a cycle. */
static void test_no_fraction_is_lost(void **state)
{
	const struct tp_rate rate = {.bits_per_second = 99999999977};
	struct sender one, all;

	(void)state;
	begin(&one, &rate, 2600000007, 61);
	begin(&all, &rate, 2600000007, 61);
	one.bucket.empty_at = all.bucket.empty_at = one.now;
	for (unsigned i = 0; i < 64 * 1000; i++)
		tp_shaper_charge(&one.shape, &one.bucket, one.now, 1, 61);
	for (unsigned i = 0; i < 1000; i++)
		tp_shaper_charge(&all.shape, &all.bucket, all.now, 64, 64 * 61);
	assert_int_equal(one.bucket.empty_at, all.bucket.empty_at);
	assert_int_equal(one.bucket.rest, all.bucket.rest);
	assert_true(one.bucket.empty_at > one.now);
}

/* The longest and shortest that there are: the clock after 50 years, frames of 64 KiB, idle for
 * ever.
 */
static void test_nothing_overflows(void **state)
{
	static const struct tp_rate rates[] = {
		{.frames_per_second = 1, .burst_ns = UINT64_C(10000000000)},
		{.frames_per_second = 1000000000, .burst_ns = UINT64_C(10000000000)},
		{.bits_per_second = 12144, .burst_bytes = UINT64_C(1) << 30},
		{.bits_per_second = 12144, .layer1 = true},
		{.bits_per_second = UINT64_C(100000000000000), .burst_ns = UINT64_C(10000000000)},
		{.bits_per_second = UINT64_C(100000000000000), .burst_bytes = 1518},
	};

	(void)state;
	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (unsigned c = 0; c < CLOCKS; c++) {
			struct sender sender;
			double seconds, expected;
			uint64_t start;

			begin(&sender, &rates[r], clocks[c], TP_FRAME_MAX);
			assert_true(sender.shape.cycles_per_unit > 0);
			assert_true(sender.shape.burst > 0);
			sender.now = clocks[c] * 50 * 365 * 86400; /* since boot, or never sent */
			start = sender.now;
			assert_int_not_equal(look(&sender), 0);
			sender.bucket.empty_at = sender.now; /* without the burst */
			sender.bucket.rest = 0;
			sender.frames = 0;
			for (unsigned i = 0; i < 3000; i++)
				if (look(&sender) == 0)
					sender.now = tp_shaper_back_at(
						&sender.shape, &sender.bucket, sender.hz / 100000);
			seconds = (double)(sender.bucket.empty_at - start) / (double)sender.hz;
			expected = rates[r].frames_per_second > 0
					   ? (double)rates[r].frames_per_second * seconds
					   : (double)rates[r].bits_per_second * seconds / 8 /
						     (TP_FRAME_MAX + (rates[r].layer1 ? 24 : 0));
			assert_true(sender.frames > 0);
			if ((double)sender.frames > expected * 1.001 ||
				(double)sender.frames < expected * 0.999)
				fail_msg("rate %u: %ju frames, %g expected", r,
					(uintmax_t)sender.frames, expected);
		}
}

/* --- Several rings of one interface --- */

#define PAIRS 5

static struct vring_avail available = {.idx = 1};

static struct tp_context *several_rings(void)
{
	struct tp_context *context =
		aligned_alloc(64, sizeof(*context) + PAIRS * sizeof(context->pair[0]));

	*context = (struct tp_context){.pair_count = PAIRS};
	for (unsigned i = 0; i < PAIRS; i++) {
		context->pair[i] = (struct tp_ring_pair){.residence = TP_RESIDENCE_HOT};
		context->pair[i].tx.avail = &available;
		context->pair[i].tx.running = true;
	}
	return context;
}

/* In whatever order they are visited, and whoever is visited first, each is paid for as often. */
static void test_rings_of_an_interface_take_turns(void **state)
{
	struct tp_context *context = several_rings();
	unsigned paid[PAIRS] = {0};

	(void)state;
	srand(5);
	for (unsigned round = 0; round < 1000; round++)
		for (unsigned n = 0; n < PAIRS; n++) { /* ring 0 is always first */
			struct tp_ring_pair *ring = &context->pair[n];

			if (tp_shaper_gives_way(context, ring))
				continue;
			ring->tried = ++context->bucket.tries;
			paid[n]++;
			break;
		}
	for (unsigned i = 0; i < PAIRS; i++)
		assert_int_equal(paid[i], 200);
	free(context);
}

static void test_who_has_no_frames_is_not_waited_for(void **state)
{
	static struct vring_avail nothing;
	struct tp_context *context = several_rings();

	(void)state;
	context->pair[0].tried = 9;
	assert_true(tp_shaper_gives_way(context, &context->pair[0]));
	context->pair[1].residence = TP_RESIDENCE_COLD;
	context->pair[2].tx.avail = &nothing;
	context->pair[3].tx.running = false;
	assert_true(tp_shaper_gives_way(context, &context->pair[0]));
	context->pair[4].tried = 10;
	assert_false(tp_shaper_gives_way(context, &context->pair[0]));
	free(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_is_exact),
		cmocka_unit_test(test_rates_of_frames),
		cmocka_unit_test(test_lateness_costs_nothing),
		cmocka_unit_test(test_one_frame_at_a_time_at_a_low_rate),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_layer_1_counts_24_bytes_more),
		cmocka_unit_test(test_no_fraction_is_lost),
		cmocka_unit_test(test_nothing_overflows),
		cmocka_unit_test(test_rings_of_an_interface_take_turns),
		cmocka_unit_test(test_who_has_no_frames_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
