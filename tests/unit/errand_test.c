/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "errand.h"

/* Work beside the loop: done once, told in the loop's thread, and waited for when that is wanted.
 */

static struct tp_loop *loop;
static struct tp_errand errand;
static atomic_bool go;
static unsigned worked, told;
static pthread_t worker;

static void work(struct tp_errand *self)
{
	assert_ptr_equal(self, &errand);
	while (!atomic_load(&go))
		usleep(1000);
	worker = pthread_self();
	worked++;
}

static void tell(struct tp_errand *self)
{
	assert_ptr_equal(self, &errand);
	told++;
}

static int set_up(void **state)
{
	struct tp_error error = {""};

	(void)state;
	worked = told = 0;
	atomic_store(&go, true);
	loop = tp_loop_new(&error);
	errand = (struct tp_errand){.work = work, .done = tell};
	return tp_errand_open(&errand, loop, &error);
}

static int tear_down(void **state)
{
	(void)state;
	tp_errand_close(&errand);
	tp_loop_free(loop);
	return 0;
}

static void wait_until_told(unsigned times)
{
	for (unsigned i = 0; i < 500 && told < times; i++)
		tp_loop_step(loop, 10);
	assert_int_equal(told, times);
}

static void it_is_done_in_another_thread_and_told_in_ours(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 20; i++) {
		assert_int_equal(tp_errand_start(&errand), 0);
		wait_until_told(i);
		assert_int_equal(worked, i);
		assert_false(pthread_equal(worker, pthread_self()));
	}
	assert_int_equal(tp_loop_step(loop, 20), 0);
}

static void one_at_a_time_while_the_loop_goes_on(void **state)
{
	(void)state;
	atomic_store(&go, false);
	assert_int_equal(tp_errand_start(&errand), 0);
	assert_int_equal(tp_errand_start(&errand), -EBUSY);
	assert_int_equal(tp_loop_step(loop, 20), 0);
	assert_int_equal(told, 0);
	atomic_store(&go, true);
	wait_until_told(1);
	assert_int_equal(tp_errand_start(&errand), 0);
	wait_until_told(2);
}

static void who_waits_is_not_told(void **state)
{
	(void)state;
	assert_false(tp_errand_wait(&errand));
	assert_int_equal(tp_errand_start(&errand), 0);
	assert_true(tp_errand_wait(&errand));
	assert_int_equal(worked, 1);
	assert_int_equal(tp_loop_step(loop, 20), 0);
	assert_int_equal(told, 0);
	assert_int_equal(tp_errand_start(&errand), 0);
	wait_until_told(1);
}

static void closing_waits(void **state)
{
	(void)state;
	assert_int_equal(tp_errand_start(&errand), 0);
	tear_down(state);
	assert_int_equal(worked, 1);
	assert_int_equal(set_up(state), 0);
}

#define SCENARIO(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(it_is_done_in_another_thread_and_told_in_ours),
		SCENARIO(one_at_a_time_while_the_loop_goes_on),
		SCENARIO(who_waits_is_not_told),
		SCENARIO(closing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
