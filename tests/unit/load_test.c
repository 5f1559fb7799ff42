/* SPDX-License-Identifier: BSD-3-Clause */
/* The shapes of a load: sizes, times, partners. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "traffic/schedule.h"
#include "traffic/size.h"
#include "traffic/talk.h"

#define HZ 3e9

static void sizes_are_read(void **state)
{
	static const char *const good[] = {
		"60", "64", "9018", "64,128", "20,20,20", "64-1514", "imix"};
	static const char *const bad[] = {"", "59", "9019", "64,", ",64", "64-", "1514-64",
		"64-9019", "abc", "64 ", " 64", "-64", "1e3", "64,0", "0x40",
		"99999999999999999999", "10,10,10,10,10,10,10,10,10"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct tp_size size;
		char text[80];

		assert_int_equal(tp_size_parse(good[i], &size, NULL), 0);
		assert_string_equal(tp_size_text(&size, text, sizeof(text)), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tp_size size = {.least = 7};
		struct tp_error error = {""};

		assert_int_equal(tp_size_parse(bad[i], &size, &error), -EINVAL);
		assert_int_equal(size.least, 7);
		assert_non_null(strstr(error.text, bad[i]));
	}
}

static void sizes_are_drawn(void **state)
{
	unsigned count[3] = {0}, ends[2] = {0};
	struct tp_size size;
	double sum = 0;

	(void)state;
	assert_int_equal(tp_size_parse("imix", &size, NULL), 0);
	for (uint32_t i = 0; i < 12000; i++) {
		uint32_t drawn = tp_size_draw(&size, i * (UINT32_MAX / 12000));

		count[drawn == 60 ? 0 : drawn == 566 ? 1 : 2]++;
		sum += drawn;
	}
	assert_in_range(count[0], 6990, 7010);
	assert_in_range(count[1], 3990, 4010);
	assert_in_range(count[2], 990, 1010);
	assert_true(fabs(sum / 12000 - size.mean) < 1);
	assert_int_equal(tp_size_parse("64-67", &size, NULL), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t drawn = tp_size_draw(&size, i * (UINT32_MAX / 999));

		assert_in_range(drawn, 64, 67);
		ends[0] += drawn == 64;
		ends[1] += drawn == 67;
	}
	assert_in_range(ends[0], 240, 260);
	assert_in_range(ends[1], 240, 260);
}

static void rates_are_read(void **state)
{
	static const struct {
		const char *text;
		double frames, bits;
		bool total;
	} good[] = {{"full", 0, 0, false}, {"none", 0, 0, false}, {"100pps", 100, 0, false},
		{"1.5Mpps/total", 1.5e6, 0, true}, {"64kpps/device", 64e3, 0, false},
		{"500Mbit/s", 0, 5e8, false}, {"10Gbit/s/total", 0, 1e10, true}};
	static const char *const bad[] = {"", "0pps", "-1pps", "pps", "1", "1 pps", "1mpps",
		"nanpps", "infpps", "1pps/guest", "1Mbit", "1pps/total/total", "0x1pps"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct tp_load load = {0};

		assert_int_equal(tp_load_parse_rate(good[i].text, &load, NULL), 0);
		assert_true(load.frames_per_second == good[i].frames);
		assert_true(load.bits_per_second == good[i].bits);
		assert_int_equal(load.total, good[i].total);
		assert_int_equal(load.silent, strcmp(good[i].text, "none") == 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tp_load load = {.frames_per_second = 7};
		struct tp_error error = {""};

		assert_int_equal(tp_load_parse_rate(bad[i], &load, &error), -EINVAL);
		assert_true(load.frames_per_second == 7);
		assert_non_null(strstr(error.text, "accepted"));
	}
}

static void arrivals_are_read(void **state)
{
	static const char *const bad[] = {"", "on-off:", "on-off:1ms", "on-off:1ms,",
		"on-off:0ms,1ms", "on-off:1,1", "on-off:1ms,1ms,", "sometimes", "on-off:-1ms,1ms"};
	struct tp_load load = {0};

	(void)state;
	assert_int_equal(tp_load_parse_arrival("on-off:10ms,100us", &load, NULL), 0);
	assert_true(load.arrival == TP_ARRIVAL_ON_OFF && fabs(load.on_seconds - 0.01) < 1e-9 &&
		    fabs(load.off_seconds - 1e-4) < 1e-9);
	assert_int_equal(tp_load_parse_arrival("poisson", &load, NULL), 0);
	assert_int_equal(load.arrival, TP_ARRIVAL_POISSON);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tp_load_parse_arrival(bad[i], &load, NULL), -EINVAL);
}

/* Frames taken in a second, looked for every `step` cycles. */
static uint64_t take_for_a_second(struct tp_schedule *schedule, uint64_t begin, uint64_t step)
{
	uint64_t taken = 0;

	for (uint64_t now = begin; now < begin + (uint64_t)HZ; now += step)
		taken += tp_schedule_take(schedule, now, 256);
	return taken;
}

static void constant_rates_are_exact(void **state)
{
	static const double rates[] = {1, 1000, 12345, 1e6, 14.88e6};
	const struct tp_load load = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct tp_schedule schedule;
		double taken;

		tp_schedule_init(&schedule, &load, rates[i], HZ, 1000, 1);
		taken = (double)take_for_a_second(&schedule, 1000, 30000);
		assert_true(fabs(taken - rates[i]) <= 1 + rates[i] * 2e-5);
		assert_int_equal(schedule.missed, 0);
	}
}

static void poisson_is_random_about_its_mean(void **state)
{
	const struct tp_load load = {.arrival = TP_ARRIVAL_POISSON};
	double sum = 0, squares = 0;
	struct tp_schedule schedule;

	(void)state;
	tp_schedule_init(&schedule, &load, 1e6, HZ, 0, 3);
	for (unsigned i = 1; i <= 10000; i++) { /* ten frames each */
		double taken = tp_schedule_take(&schedule, i * 30000ull, 256);

		sum += taken;
		squares += taken * taken;
	}
	assert_true(fabs(sum / 1e4 - 10) < 0.2);
	assert_true(fabs(squares / 1e4 - (sum / 1e4) * (sum / 1e4) - 10) < 1);
}

static void what_finds_no_room_stays_due_for_a_while(void **state)
{
	const struct tp_load load = {0};
	struct tp_schedule schedule;
	uint64_t now = 3000000; /* a millisecond */
	unsigned taken;

	(void)state;
	tp_schedule_init(&schedule, &load, 1e6, HZ, 0, 3);
	taken = tp_schedule_take(&schedule, now / 2, 1000);
	assert_in_range(taken, 499, 501);
	tp_schedule_give_back(&schedule, now / 2, taken);
	assert_int_equal(schedule.missed, 0);
	assert_int_equal(tp_schedule_take(&schedule, now / 2, 1000), taken);
	tp_schedule_give_back(&schedule, now / 2, taken);
	/* Ten milliseconds later nine are too late. */
	taken = tp_schedule_take(&schedule, 10 * now, 100000);
	assert_in_range(taken, 999, 1001);
	assert_in_range(schedule.missed, 8998, 9002);
}

static void bursts_have_pauses(void **state)
{
	const struct tp_load load = {
		.arrival = TP_ARRIVAL_ON_OFF, .on_seconds = 0.01, .off_seconds = 0.03};
	struct tp_schedule schedule;
	double taken;

	(void)state;
	tp_schedule_init(&schedule, &load, 1e6, HZ, 0, 3);
	taken = (double)take_for_a_second(&schedule, 0, 30000);
	assert_true(fabs(taken - 250e3) < 1e3);
	assert_int_equal(tp_schedule_take(&schedule, (uint64_t)(HZ + 0.02 * HZ), 256), 0);
	tp_schedule_init(&schedule, &load, 0, HZ, 0, 3);
	assert_int_equal(tp_schedule_take(&schedule, (uint64_t)(0.005 * HZ), 99), 99);
	assert_int_equal(tp_schedule_take(&schedule, (uint64_t)(0.02 * HZ), 99), 0);
}

static void rates_are_shared(void **state)
{
	const struct tp_load total = {.frames_per_second = 1e6, .total = true};
	const struct tp_load bits = {.bits_per_second = 1e9};

	(void)state;
	assert_true(tp_load_rate(&total, 4, 64) == 250e3);
	assert_true(fabs(tp_load_rate(&bits, 4, 1250) - 1e5) < 1e-6);
	assert_true(tp_load_rate(&(struct tp_load){0}, 4, 64) == 0);
}

static void make(struct tp_talk *talk, const char *text, unsigned devices)
{
	struct tp_talk_settings settings = {.seed = 5};
	struct tp_error error = {""};

	assert_int_equal(tp_talk_parse(text, &settings, &error), 0);
	if (tp_talk_init(talk, &settings, devices, &error) != 0)
		fail_msg("%s", error.text);
	for (unsigned i = 0; i < talk->flow_count; i++) {
		assert_true(talk->flows[i].from < devices && talk->flows[i].to < devices);
		assert_true(talk->flows[i].from != talk->flows[i].to);
		assert_true(i >= talk->first[talk->flows[i].from]);
		assert_true(i < talk->first[talk->flows[i].from + 1]);
	}
}

static void partners(void **state)
{
	struct tp_talk talk;

	(void)state;
	make(&talk, "pairs", 5); /* the fifth has nobody */
	assert_int_equal(talk.flow_count, 4);
	assert_int_equal(talk.flows[3].to, 2);
	tp_talk_free(&talk);
	make(&talk, "star", 5);
	assert_int_equal(talk.flow_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(talk.flows[i].to, 0);
	tp_talk_free(&talk);
	make(&talk, "all", 5);
	assert_int_equal(talk.flow_count, 20);
	tp_talk_free(&talk);
	make(&talk, "wheel", 4);
	assert_int_equal(talk.flow_count, 6);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(talk.flows[2 * i].to, 0);
		assert_int_equal(talk.flows[2 * i + 1].to, 1 + (i + 1) % 3);
	}
	tp_talk_free(&talk);
	make(&talk, "random:0", 3);
	assert_int_equal(talk.flow_count, 6);
	tp_talk_free(&talk);
}

static void random_partners_are_skewed(void **state)
{
	unsigned count[1000] = {0};
	struct tp_talk talk;

	(void)state;
	make(&talk, "random:1", 1000);
	for (unsigned i = 0; i < talk.flow_count; i++)
		count[talk.flows[i].to]++;
	assert_true(count[0] > 500); /* nearly everybody's */
	assert_true(count[0] > count[9] && count[9] > count[99]);
	tp_talk_free(&talk);
}

static void others_talk_later(void **state)
{
	struct tp_talk_settings settings = {.talking = 4};
	uint32_t sources[10];
	struct tp_talk talk;

	(void)state;
	assert_int_equal(tp_talk_init(&talk, &settings, 10, NULL), 0);
	assert_int_equal(tp_talk_sources(&talk, 0, sources), 4);
	assert_int_equal(sources[0], 0);
	assert_int_equal(tp_talk_sources(&talk, 2, sources), 4);
	assert_int_equal(sources[0], 8);
	assert_int_equal(sources[2], 0);
	tp_talk_free(&talk);
}

static void impossible_talk_is_refused(void **state)
{
	struct tp_talk_settings settings = {.talking = 4};
	struct tp_error error = {""};
	struct tp_talk talk;

	(void)state;
	assert_int_equal(tp_talk_init(&talk, &settings, 3, &error), -EINVAL);
	settings.talking = 0;
	assert_int_equal(tp_talk_init(&talk, &settings, 1, &error), -EINVAL);
	settings.kind = TP_TALK_WHEEL; /* it has a rim of two at least */
	assert_int_equal(tp_talk_init(&talk, &settings, 2, &error), -EINVAL);
	assert_non_null(strstr(error.text, "at least 3"));
	assert_int_equal(tp_talk_parse("random:-1", &settings, &error), -EINVAL);
	assert_int_equal(tp_talk_parse("random:11", &settings, &error), -EINVAL);
	assert_int_equal(tp_talk_parse("everybody", &settings, &error), -EINVAL);
	settings.kind = TP_TALK_ALL;
	assert_int_equal(tp_talk_init(&talk, &settings, 4000, &error), -EINVAL);
	assert_non_null(strstr(error.text, "15996000 flows"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(sizes_are_drawn),
		cmocka_unit_test(rates_are_read),
		cmocka_unit_test(arrivals_are_read),
		cmocka_unit_test(constant_rates_are_exact),
		cmocka_unit_test(poisson_is_random_about_its_mean),
		cmocka_unit_test(what_finds_no_room_stays_due_for_a_while),
		cmocka_unit_test(bursts_have_pauses),
		cmocka_unit_test(rates_are_shared),
		cmocka_unit_test(partners),
		cmocka_unit_test(random_partners_are_skewed),
		cmocka_unit_test(others_talk_later),
		cmocka_unit_test(impossible_talk_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
