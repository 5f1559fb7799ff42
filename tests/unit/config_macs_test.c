/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

/* MACs in the configuration: further ones of an interface, what is learned, what is flooded. */

#define TENANT(keys)    "{'classes':{" GOLD "},'tenants':{'acme':{" keys "}}}"
#define WITH_MACS(macs) FILE_OF(GOLD, "'vm1':{" MAC1 ",'class':'gold','macs':" macs "," SOCKET("1"))

static void learning_has_bounds(void **state)
{
	struct tp_config *config = accepted(TENANT(
		"'mac_learning':{'age':'10s','per_interface':3,'per_tenant':5},'interfaces':{}"));

	(void)state;
	assert_true(config->tenants[0].mac_learning);
	assert_int_equal(config->tenants[0].mac_age_s, 10);
	assert_int_equal(config->tenants[0].macs_per_interface, 3);
	assert_int_equal(config->tenants[0].macs_per_tenant, 5);
	tp_config_free(config);
	config = accepted(TENANT("'mac_learning':true,'interfaces':{" VM("1") "," VM("2") "}"));
	assert_true(config->tenants[0].mac_learning);
	assert_int_equal(config->tenants[0].mac_age_s, 300);
	assert_int_equal(config->tenants[0].macs_per_interface, 64);
	assert_int_equal(config->tenants[0].macs_per_tenant, 128);
	tp_config_free(config);
	config = accepted(TENANT("'mac_learning':false"));
	assert_false(config->tenants[0].mac_learning);
	tp_config_free(config);
}

static void strangers_may_not_have_all(void **state)
{
	static const struct {
		uint32_t per_interface, interfaces, per_tenant, beyond;
	} bounds[] = {
		{64, 1, 64 + 4096, 4096},       /* as the file is without bounds */
		{64, 1000, 64000 + 4096, 4096}, /* likewise */
		{8, 1, 40, 32},                 /* what is left */
		{64, 1000, 1048576, 1048576 - 64000},
		{64, 100, 100, 50}, /* less than guests may have */
		{64, 1000, 64001, 4096},
		{1024, 4194304, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		const struct tp_tenant_config tenant = {
			.macs_per_interface = bounds[i].per_interface,
			.interface_count = bounds[i].interfaces,
			.macs_per_tenant = bounds[i].per_tenant,
		};

		assert_int_equal(tp_config_macs_beyond(&tenant), bounds[i].beyond);
	}
}

static void an_interface_may_have_further_macs(void **state)
{
	static const uint8_t second[6] = {2, 0, 0, 0, 0, 0x51};
	struct tp_config *config = accepted(WITH_MACS("['02:00:00:00:00:50','02:00:00:00:00:51']"));

	(void)state;
	assert_int_equal(config->interfaces[0].mac_count, 2);
	assert_memory_equal(config->interfaces[0].macs[1], second, 6);
	tp_config_free(config);
}

static void bad_macs_are_refused_by_their_place(void **state)
{
	static const struct refusal refusals[] = {
		{TENANT("'mac_learning':1"),
			"mac_learning: found 1 (number); accepted: true, false"},
		{TENANT("'mac_learning':{'age':'0s'}"), "mac_learning.age: found \"0s\""},
		{TENANT("'mac_learning':{'age':300}"), "mac_learning.age: found 300"},
		{TENANT("'mac_learning':{'age':'86401s'}"), "mac_learning.age: found \"86401s\""},
		{TENANT("'mac_learning':{'per_interface':0}"), "per_interface: found 0"},
		{TENANT("'mac_learning':{'per_interface':1025}"), "per_interface: found 1025"},
		{TENANT("'mac_learning':{'per_tenant':0}"), "per_tenant: found 0"},
		{TENANT("'mac_learning':{'limit':3}"), "mac_learning.limit: found an unknown key"},
		{WITH_MACS("[]"), "macs: found an array; accepted: an array of 1 to 64 MACs"},
		{WITH_MACS("'02:00:00:00:00:50'"), "macs: found \"02:00:00:00:00:50\""},
		{WITH_MACS("['03:00:00:00:00:50']"), "vm1.macs[0]: found \"03:00:00:00:00:50\""},
		{WITH_MACS("['02:00:00:00:00:50',7]"), "vm1.macs[1]: found 7"},
		{WITH_MACS("['02:00:00:00:00:01']"),
			"vm1.macs: found 02:00:00:00:00:01, which interface vm1 has too"},
		{WITH_MACS("['02:00:00:00:00:50','02:00:00:00:00:50']"),
			"vm1.macs: found 02:00:00:00:00:50, which interface vm1 has too"},
		{FILE_OF(GOLD,
			 "'vm1':{" MAC1
			 ",'class':'gold','macs':['02:00:00:00:00:02']," SOCKET("1") "," VM("2")),
			"vm2.mac: found 02:00:00:00:00:02, which interface vm1 has too"},
		{FILE_OF(GOLD, "'vm1':{" MAC1 ",'class':'gold','macs':['02:00:00:00:00:02'],"
			       "'count':2,'socket':'/s%d'}"),
			"vm1.macs: found an array; accepted: further MACs only of an "
			"interface without a count"},
		{FILE_OF("'gold':{'bid':2,'flood_rate':'0pps'}", VM("1")),
			"gold.flood_rate: found \"0pps\""},
		{FILE_OF("'gold':{'bid':2,'flood_rate':'1Mbit/s'}", VM("1")),
			"gold.flood_rate: found \"1Mbit/s\""},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static void a_class_may_limit_floods(void **state)
{
	struct tp_config *config =
		accepted(FILE_OF("'gold':{'bid':2,'flood_rate':'2kpps'}", VM("1")));

	(void)state;
	assert_int_equal(config->classes[0].flood_rate, 2000);
	tp_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learning_has_bounds),
		cmocka_unit_test(strangers_may_not_have_all),
		cmocka_unit_test(an_interface_may_have_further_macs),
		cmocka_unit_test(bad_macs_are_refused_by_their_place),
		cmocka_unit_test(a_class_may_limit_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
