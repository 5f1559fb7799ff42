/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pwd.h>

#include "config_support.h"

/* What a file says arrives; what it refuses is refused with its place. */

static void defaults_are_filled_in(void **state)
{
	struct tp_config *config = accepted(FILE_OF(GOLD, VM("1")));

	(void)state;
	assert_int_equal(config->worker_count, 1);
	assert_int_equal(config->control_core, -1);
	assert_int_equal(config->hot_contexts, 4096);
	assert_true(config->hot_cache && config->idle_sleep);
	assert_int_equal(config->stay_hot_ns, 2000000);
	assert_int_equal(config->sweep_budget_ns, 20000);
	assert_string_equal(config->control_socket, "/run/turnpike/control.sock");
	assert_int_equal(config->tariff_per_frame, 16);
	assert_int_equal(config->tariff_per_64_bytes, 1);
	assert_null(config->billing_directory);
	assert_null(config->user);
	assert_true(config->system_call_filter);
	assert_int_equal(config->guest_sockets.access.mode, 0660);
	assert_int_equal(config->control_sockets.access.mode, 0600);
	assert_int_equal(config->tenants[0].sockets.access.mode, 0660);
	assert_int_equal(config->class_count, 1);
	assert_int_equal(config->classes[0].weight, 1);
	assert_false(config->classes[0].pinned);
	assert_int_equal(config->classes[0].rate.bits_per_second, 0);
	assert_int_equal(config->classes[0].rate.frames_per_second, 0);
	assert_false(config->classes[0].rate.layer1);
	assert_int_equal(config->classes[0].on_full, TP_ON_FULL_HOLD);
	assert_int_equal(config->classes[0].hold_ns, 1000000);
	assert_false(config->tenants[0].mac_learning);
	assert_int_equal(config->tenants[0].unknown_unicast, TP_UNKNOWN_UNICAST_DROP);
	assert_false(config->tenants[0].has_budget);
	assert_int_equal(config->interface_count, 1);
	assert_int_equal(config->interfaces[0].queue_pairs, 1);
	assert_false(config->interfaces[0].client);
	assert_true(config->interfaces[0].source_mac_check);
	tp_config_free(config);
}

static void the_default_worker_core_is_on_this_machine(void **state)
{
	struct tp_config *config = accepted(FILE_OF(GOLD, VM("1")));
	struct tp_error error = {""};

	(void)state;
	assert_int_equal(tp_config_check_machine(config, &error), 0);
	tp_config_free(config);
}

static void a_core_that_is_not_there_is_told_by_the_machine_check_only(void **state)
{
	struct tp_config *config = accepted("{'dataplane':{'worker_cores':[0,1023]},"
					    "'classes':{'gold':{'bid':2}},'tenants':{'acme':{}}}");
	struct tp_error error = {""};

	(void)state;
	assert_true(tp_config_check_machine(config, &error) < 0);
	assert_non_null(strstr(error.text, "$.dataplane.worker_cores: found CPU 1023"));
	assert_non_null(strstr(error.text, "accepted: 0"));
	config->worker_count = 1;
	config->control_core = 1022;
	assert_true(tp_config_check_machine(config, &error) < 0);
	assert_non_null(strstr(error.text, "$.dataplane.control_core: found CPU 1022"));
	tp_config_free(config);
}

static const char accounts[] =
	"{'process':{'user':'daemon','group':'root'},"
	"'sockets':{'guests':{'owner':'root','group':'daemon','permissions':'0640'},"
	"'control':{'group':'daemon','permissions':'0620'}},'classes':{'gold':{'bid':2}},"
	"'tenants':{'as_all':{},'own':{'sockets':{'group':'root'}},"
	"'open':{'sockets':{'owner':'daemon','permissions':'0777'}}}}";

static void a_tenant_says_only_what_differs_of_its_sockets(void **state)
{
	struct tp_config *config = accepted(accounts);
	const struct tp_tenant_config *tenant = config->tenants;

	(void)state;
	assert_string_equal(config->user, "daemon");
	assert_string_equal(config->group, "root");
	assert_int_equal(config->control_sockets.access.mode, 0620);
	assert_null(config->control_sockets.owner);
	assert_string_equal(tenant[0].sockets.owner, "root");
	assert_string_equal(tenant[0].sockets.group, "daemon");
	assert_int_equal(tenant[0].sockets.access.mode, 0640);
	assert_string_equal(tenant[1].sockets.owner, "root");
	assert_string_equal(tenant[1].sockets.group, "root");
	assert_string_equal(tenant[2].sockets.owner, "daemon");
	assert_int_equal(tenant[2].sockets.access.mode, 0777);
	tp_config_free(config);
}

static void the_machine_check_finds_users_and_groups(void **state)
{
	const struct passwd *user = getpwnam("daemon");
	struct tp_config *config = accepted(accounts);
	const struct tp_tenant_config *tenant = config->tenants;
	struct tp_error error = {""};

	(void)state;
	assert_int_equal(tp_config_check_machine(config, &error), 0);
	assert_int_equal(config->uid, user->pw_uid);
	assert_int_equal(config->gid, 0);
	assert_false(config->control_sockets.access.set_owner);
	assert_true(config->control_sockets.access.set_group);
	assert_int_equal(config->control_sockets.access.group, user->pw_gid);
	assert_int_equal(tenant[0].sockets.access.owner, 0);
	assert_int_equal(tenant[0].sockets.access.group, user->pw_gid);
	assert_int_equal(tenant[1].sockets.access.group, 0);
	assert_int_equal(tenant[2].sockets.access.owner, user->pw_uid);
	assert_int_equal(tenant[2].sockets.access.group, user->pw_gid);
	free(config->tenants[1].sockets.group);
	config->tenants[1].sockets.group = strdup("no-such");
	assert_int_equal(tp_config_check_machine(config, &error), -ENOENT);
	assert_non_null(strstr(error.text, "$.tenants.own.sockets.group: found \"no-such\""));
	tp_config_free(config);
}

static void a_group_comes_with_its_user(void **state)
{
	(void)state;
	refused("{'process':{'group':'daemon'},'classes':{'gold':{'bid':2}},'tenants':{'a':{}}}",
		"$.process.group: found a group without a \"user\"");
	refused("{'sockets':{'guests':{'permissions':'0560'}},'classes':{'gold':{'bid':2}},"
		"'tenants':{'a':{}}}",
		"$.sockets.guests.permissions: found \"0560\"");
}

static void every_key_arrives(void **state)
{
	struct tp_config *config = accepted(
		"{'$schema':'x','dataplane':{'worker_cores':[3,1],'control_core':0,"
		"'hot_contexts':9,'hot_cache':'off','stay_hot':'5ms','idle_sleep':false,"
		"'sweep_budget':'1ms',"
		"'control_socket':'/run/c'},"
		"'tariff':{'per_frame':5,'per_64_bytes':0},"
		"'billing':{'directory':'/var/x','interval':'90s'},"
		"'tenants':{'acme':{'budget':{'credits_per_second':9,'burst':8},"
		"'mac_learning':true,'unknown_unicast':'flood','interfaces':{"
		"'vm1':{'mac':'aA:00:00:00:00:fF','class':'b','socket':'/s','mode':'client',"
		"'queue_pairs':8,'source_mac_check':false}}}},"
		"'classes':{'a':{'bid':1000},'b':{'bid':1.5,'weight':3,'pinned':true,"
		"'rate':'2.5Mbit/"
		"s','burst':'64KiB','rate_layer':'l1','on_full':{'hold':'10s'}},'c':{'bid':2.0,'on_"
		"full':'drop'}}}");
	const uint8_t mac[6] = {0xaa, 0, 0, 0, 0, 0xff};

	(void)state;
	assert_int_equal(config->worker_count, 2);
	assert_int_equal(config->worker_cores[0], 3);
	assert_int_equal(config->worker_cores[1], 1);
	assert_int_equal(config->control_core, 0);
	assert_int_equal(config->hot_contexts, 9);
	assert_false(config->hot_cache);
	assert_int_equal(config->stay_hot_ns, 5000000);
	assert_int_equal(config->sweep_budget_ns, 1000000);
	assert_false(config->idle_sleep);
	assert_string_equal(config->control_socket, "/run/c");
	assert_int_equal(config->tariff_per_frame, 5);
	assert_int_equal(config->tariff_per_64_bytes, 0);
	assert_string_equal(config->billing_directory, "/var/x");
	assert_int_equal(config->billing_interval_ns, 90000000000);
	assert_true(config->classes[1].bid == 1.5);
	assert_int_equal(config->classes[1].weight, 3);
	assert_true(config->classes[1].pinned);
	assert_int_equal(config->classes[1].rate.bits_per_second, 2500000);
	assert_int_equal(config->classes[1].rate.burst_bytes, 65536);
	assert_true(config->classes[1].rate.layer1);
	assert_int_equal(config->interfaces[0].rate.bits_per_second, 2500000);
	assert_int_equal(config->interfaces[0].rate.burst_bytes, 65536);
	assert_true(config->interfaces[0].rate.layer1);
	assert_int_equal(config->classes[1].hold_ns, 10000000000);
	assert_int_equal(config->classes[2].on_full, TP_ON_FULL_DROP);
	assert_true(config->tenants[0].has_budget);
	assert_int_equal(config->tenants[0].credits_per_second, 9);
	assert_int_equal(config->tenants[0].burst, 8);
	assert_true(config->tenants[0].mac_learning);
	assert_int_equal(config->tenants[0].unknown_unicast, TP_UNKNOWN_UNICAST_FLOOD);
	assert_memory_equal(config->interfaces[0].mac, mac, 6);
	assert_int_equal(config->interfaces[0].class_index, 1);
	assert_true(config->interfaces[0].client);
	assert_int_equal(config->interfaces[0].queue_pairs, 8);
	assert_false(config->interfaces[0].source_mac_check);
	tp_config_free(config);
}

static void a_billing_section_has_defaults(void **state)
{
	struct tp_config *config =
		accepted("{'billing':{},'classes':{'gold':{'bid':2}},'tenants':{'acme':{}}}");

	(void)state;
	assert_string_equal(config->billing_directory, "/var/lib/turnpike");
	assert_int_equal(config->billing_interval_ns, 60000000000);
	tp_config_free(config);
}

static void a_count_makes_consecutive_interfaces(void **state)
{
	struct tp_config *config =
		accepted("{'classes':{'gold':{'bid':16}},'tenants':{"
			 "'none':{'interfaces':{}},'acme':{'interfaces':{" VM(
				 "1") ","
				      "'pod':{'count':300,'mac':'02:00:00:00:ff:00','class':'gold',"
				      "'socket':'/run/%s%d.sock'}}}}}");
	const uint8_t last[6] = {2, 0, 0, 1, 0, 0x2b};

	(void)state;
	assert_int_equal(config->interface_count, 301);
	assert_int_equal(config->tenants[0].interface_count, 0);
	assert_int_equal(config->tenants[1].first_interface, 0);
	assert_int_equal(config->tenants[1].interface_count, 301);
	assert_string_equal(config->interfaces[1].name, "pod0");
	assert_string_equal(config->interfaces[300].name, "pod299");
	assert_string_equal(config->interfaces[300].socket, "/run/%s299.sock");
	assert_memory_equal(config->interfaces[300].mac, last, 6);
	assert_int_equal(config->interfaces[300].tenant_index, 1);
	tp_config_free(config);
}

static void one_mac_may_be_in_two_tenants(void **state)
{
	(void)state;
	tp_config_free(accepted(
		"{'classes':{'gold':{'bid':16}},'tenants':{"
		"'acme':{'interfaces':{'vm1':{" MAC1 ",'class':'gold','socket':'/a'}}},"
		"'umbra':{'interfaces':{'vm1':{" MAC1 ",'class':'gold','socket':'/b'}}}}}"));
}

#define CLASS(body) FILE_OF("'gold':{" body "}", "")

static void classes_are_checked(void **state)
{
	static const struct refusal refusals[] = {
		{CLASS("'bid':'high'"),
			"test.json: $.classes.gold.bid: found \"high\" (string); accepted: a "
			"number from 1 (exclusive) to 1000"},
		{CLASS("'bid':1"), "$.classes.gold.bid: found 1 (number); accepted: "},
		{CLASS("'bid':1000.5"), "$.classes.gold.bid: found 1000.5 (number)"},
		{CLASS(""), "$.classes.gold.bid: found nothing; accepted: a number"},
		{CLASS("'bid':2,'weight':0"), "$.classes.gold.weight: found 0 (number); "
					      "accepted: a whole number from 1 to 1000"},
		{CLASS("'bid':2,'weight':1.5"), "$.classes.gold.weight: found 1.5"},
		{CLASS("'bid':2,'weight':-1"), "$.classes.gold.weight: found -1"},
		{CLASS("'bid':2,'pinned':1"), "$.classes.gold.pinned: found 1 (number); "
					      "accepted: true or false"},
		{CLASS("'bid':2,'rate':2000"),
			"$.classes.gold.rate: found 2000 (number): a number without a unit; "
			"accepted: a string of a number and one of bit/s, kbit/s"},
		{CLASS("'bid':2,'rate':'fast'"), "$.classes.gold.rate: found \"fast\" (string)"},
		{CLASS("'bid':2,'rate':'12143bit/s'"),
			"$.classes.gold.rate: found \"12143bit/s\" (string); accepted: one frame "
			"of "
			"1518 bytes a second or more: 12144bit/s to 100Tbit/s, or 1pps to"},
		{CLASS("'bid':2,'rate':'0pps'"), "rate: found \"0pps\" (string); accepted: one"},
		{CLASS("'bid':2,'rate':'0.5pps'"), "rate: found \"0.5pps\" (string): less than"},
		{CLASS("'bid':2,'rate':'1001Mpps'"), "rate: found \"1001Mpps\" (string); accepted"},
		{CLASS("'bid':2,'rate':'101Tbit/s'"), "rate: found \"101Tbit/s\""},
		{CLASS("'bid':2,'rate':'99999999999999999999Tbit/s'"), "more than 64 bits hold"},
		{CLASS("'bid':2,'on_full':'wait'"), "$.classes.gold.on_full: found \"wait\""},
		{CLASS("'bid':2,'on_full':{}"), "$.classes.gold.on_full.hold: found nothing"},
		{CLASS("'bid':2,'on_full':{'hold':100}"), "on_full.hold: found 100 (number)"},
		{CLASS("'bid':2,'on_full':{'hold':'11s'}"), "on_full.hold: found \"11s\""},
		{CLASS("'bid':2,'on_full':{'hold':'0s'}"), "on_full.hold: found \"0s\""},
		{CLASS("'bid':2,'bids':3"), "$.classes.gold.bids: found an unknown key; accepted "
					    "keys: bid, weight, pinned, rate, burst, "
					    "rate_layer, on_full"},
		{FILE_OF("", ""), "$.classes: found 0 classes; accepted: 1 to 64"},
		{FILE_OF("'':{'bid':2}", ""), "$.classes[\"\"]: found this name; accepted: "},
		{FILE_OF("'a b':{'bid':2}", ""), "$.classes[\"a b\"]: found this name"},
		{FILE_OF("'\\u001b[2J':{'bid':2}", ""), "$.classes[\"\\u001b[2J\"]: found this"},
		{FILE_OF("'a23456789012345678901234567890123':{'bid':2}", ""),
			"$.classes.a23456789012345678901234567890123: found this name"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

#define ENTRY(body) FILE_OF(GOLD ",'bronze':{'bid':2}", "'vm1':{" body "}")
#define MAC(mac)    ENTRY("'mac':'" mac "','class':'gold','socket':'/s'")
#define PATH(path)  ENTRY(MAC1 ",'class':'gold','socket':'" path "'")
#define MORE(more)  ENTRY(MAC1 ",'class':'gold','socket':'/s'," more)
#define POD(count, mac, path)                                                                      \
	ENTRY("'count':" count ",'mac':'" mac "','class':'gold','socket':'" path "'")
#define TEXT50 "01234567890123456789012345678901234567890123456789"
#define PLACE  "$.tenants.acme.interfaces.vm1"

static void interfaces_are_checked(void **state)
{
	static const struct refusal refusals[] = {
		{MAC("02:00:00:00:00"), PLACE ".mac: found \"02:00:00:00:00\" (string); accepted: "
					      "a unicast MAC"},
		{MAC("02-00-00-00-00-01"), PLACE ".mac: found"},
		{MAC("02:00:00:00:00:01:02"), PLACE ".mac: found"},
		{MAC("02:00:00:00:00:0g"), PLACE ".mac: found"},
		{MAC("00:00:00:00:00:00"), PLACE ".mac: found"},
		{MAC("01:00:5e:00:00:01"), PLACE ".mac: found"},
		{MAC("ff:ff:ff:ff:ff:ff"), PLACE ".mac: found"},
		{ENTRY(""), PLACE ".mac: found nothing"},
		{ENTRY(MAC1), PLACE ".class: found nothing; accepted: the name of a class: gold, "
				    "bronze"},
		{ENTRY(MAC1 ",'class':'silver','socket':'/s'"),
			PLACE ".class: found \"silver\" (string); accepted: the name of a class: "
			      "gold, bronze"},
		{ENTRY(MAC1 ",'class':'gold'"), PLACE ".socket: found nothing; accepted: an "
						      "absolute path"},
		{PATH("run/s"), PLACE ".socket: found \"run/s\""},
		{PATH(""), PLACE ".socket: found \"\""},
		{PATH("/"), PLACE ".socket: found"},
		{PATH("/run//s"), PLACE ".socket: found"},
		{PATH("/run/./s"), PLACE ".socket: found"},
		{PATH("/run/../s"), PLACE ".socket: found"},
		{PATH("/run/"), PLACE ".socket: found"},
		{PATH("/" TEXT50 TEXT50 "0123456"), PLACE ".socket: found"},
		{PATH("/%d"), PLACE ".socket: found \"/%d\" (string); accepted: %d only together"},
		{MORE("'mode':'both'"), PLACE ".mode: found \"both\" (string); accepted: "
					      "\"server\" or \"client\""},
		{MORE("'queue_pairs':0"), PLACE ".queue_pairs: found 0"},
		{MORE("'queue_pairs':9"), PLACE ".queue_pairs: found 9"},
		{MORE("'queue_pairs':65537"), PLACE ".queue_pairs: found 65537"},
		{MORE("'count':0"), PLACE ".count: found 0"},
		{MORE("'count':65537"), PLACE ".count: found 65537"},
		{MORE("'count':2"), PLACE ".socket: found \"/s\" (string); accepted: a path with "
					  "%d once"},
		{MORE("'vlan':2"), PLACE ".vlan: found an unknown key; accepted keys: mac, class"},
		{POD("2", "02:00:00:00:00:01", "/%d/%d"), PLACE ".socket: found"},
		{POD("2", "fe:ff:ff:ff:ff:ff", "/%d"), PLACE ".count: found 2"},
		{POD("2", "02:ff:ff:ff:ff:ff", "/%d"), PLACE ".count: found 2"},
		{POD("101", "02:00:00:00:00:01", "/" TEXT50 TEXT50 "0123%d"),
			"at most 107 bytes with the number 100"},
		{FILE_OF(GOLD, "'a2345678901234567890123456789012':{'count':1," MAC1
			       ",'class':'gold','socket':'/%d'}"),
			"found a name of 32 characters"},
		{FILE_OF(GOLD, "'vm/1':{}"), "interfaces[\"vm/1\"]: found this name"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

#define REST         ",'classes':{'gold':{'bid':16}},'tenants':{'acme':{}}}"
#define TENANT(body) "{'classes':{'gold':{'bid':16}},'tenants':{'acme':{" body "}}}"

static void the_rest_is_checked(void **state)
{
	static const struct refusal refusals[] = {
		{"{}", "$.classes: found nothing; accepted: an object of 1 to 64 classes"},
		{"[]", "test.json: $: found an array; accepted: an object"},
		{"{'classes':{'gold':{'bid':16}}}", "$.tenants: found nothing"},
		{"{'classes':{'gold':{'bid':16}},'tenants':{}}", "$.tenants: found 0 tenants"},
		{"{'klass':1" REST, "$.klass: found an unknown key; accepted keys: $schema, "},
		{TENANT("'network':{}"), "network.uplink: found nothing; accepted: the name of an "
					 "uplink; there is none"},
		{TENANT("'budget':{'burst':1}"), "budget.credits_per_second: found nothing"},
		{TENANT("'budget':{'burst':0,'credits_per_second':1}"), "budget.burst: found 0"},
		{TENANT("'unknown_unicast':'hold'"), "accepted: \"drop\" or \"flood\""},
		{TENANT("'mac_learning':'yes'"), "mac_learning: found \"yes\" (string)"},
		{"{'dataplane':{'worker_cores':[]}" REST, "worker_cores: found 0 CPU numbers"},
		{"{'dataplane':{'worker_cores':[1,1]}" REST,
			"$.dataplane.worker_cores[1]: found 1 (number); accepted: each CPU"},
		{"{'dataplane':{'worker_cores':[-1]}" REST, "worker_cores[0]: found -1"},
		{"{'dataplane':{'worker_cores':[1024]}" REST, "worker_cores[0]: found 1024"},
		{"{'dataplane':{'control_core':1024}" REST, "control_core: found 1024"},
		{"{'dataplane':{'hot_contexts':0}" REST, "hot_contexts: found 0"},
		{"{'dataplane':{'hot_cache':true}" REST,
			"hot_cache: found true (boolean); accepted: \"on\" or \"off\""},
		{"{'dataplane':{'stay_hot':2}" REST, "stay_hot: found 2"},
		{"{'dataplane':{'stay_hot':'11s'}" REST, "stay_hot: found \"11s\""},
		{"{'dataplane':{'idle_sleep':'no'}" REST, "idle_sleep: found \"no\""},
		{"{'dataplane':{'sweep_budget':20}" REST, "sweep_budget: found 20 (number)"},
		{"{'dataplane':{'sweep_budget':'999ns'}" REST,
			"$.dataplane.sweep_budget: found \"999ns\" (string); accepted: 1000ns to "
			"10000000ns"},
		{"{'dataplane':{'sweep_budget':'10.001ms'}" REST, "sweep_budget: found \"10.001ms"},
		{"{'dataplane':{'control_socket':'x'}" REST, "control_socket: found \"x\""},
		{"{'billing':{'interval':'0s'}" REST, "$.billing.interval: found \"0s\""},
		{"{'billing':{'interval':60}" REST, "$.billing.interval: found 60"},
		{"{'billing':{'directory':'x/y'}" REST, "$.billing.directory: found \"x/y\""},
		{"{'billing':{'file':'/x'}" REST,
			"$.billing.file: found an unknown key; accepted keys: directory, interval"},
		{"{'tariff':{'per_frame':-1}" REST, "$.tariff.per_frame: found -1"},
		{"{'tariff':{'per_frame':1000001}" REST, "$.tariff.per_frame: found 1000001"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static void rates_are_inherited_and_replaced(void **state)
{
	struct tp_config *config = accepted(
		"{'classes':{'slow':{'bid':2,'rate':'10Mbit/s','burst':'2ms','rate_layer':'l1'},"
		"'free':{'bid':2}},'tenants':{'acme':{'interfaces':{"
		"'a':{'mac':'02:00:00:00:00:01','class':'slow','socket':'/a'},"
		"'b':{'mac':'02:00:00:00:00:02','class':'slow','socket':'/b','rate':'1Gbit/s'},"
		"'c':{'mac':'02:00:00:00:00:03','class':'slow','socket':'/c','rate':'2kpps'},"
		"'d':{'mac':'02:00:00:00:00:04','class':'slow','socket':'/d','burst':'1MiB'},"
		"'e':{'mac':'02:00:00:00:00:05','class':'free','socket':'/e'},"
		"'f':{'mac':'02:00:00:00:00:06','class':'free','socket':'/f%d','count':2,"
		"'rate':'1pps','burst':'10s'}}}}}");
	const struct tp_rate_config expected[] = {
		{.bits_per_second = 10000000, .burst_ns = 2000000, .layer1 = true},
		{.bits_per_second = 1000000000, .burst_ns = 2000000, .layer1 = true},
		{.frames_per_second = 2000, .burst_ns = 2000000, .layer1 = true},
		{.bits_per_second = 10000000, .burst_bytes = 1048576, .layer1 = true},
		{0},
		{.frames_per_second = 1, .burst_ns = 10000000000},
		{.frames_per_second = 1, .burst_ns = 10000000000},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct tp_rate_config *found = &config->interfaces[i].rate;

		assert_int_equal(found->bits_per_second, expected[i].bits_per_second);
		assert_int_equal(found->frames_per_second, expected[i].frames_per_second);
		assert_int_equal(found->burst_bytes, expected[i].burst_bytes);
		assert_int_equal(found->burst_ns, expected[i].burst_ns);
		assert_int_equal(found->layer1, expected[i].layer1);
	}
	tp_config_free(config);
}

#define RATE(body) CLASS("'bid':2," body)
#define VM_OF(class, more)                                                                         \
	FILE_OF("'gold':{'bid':2," class "}",                                                      \
		"'vm1':{" MAC1 ",'class':'gold','socket':'/s'" more "}")

static void rates_and_bursts_are_checked_together(void **state)
{
	static const struct refusal refusals[] = {
		{RATE("'burst':'64KiB'"),
			"$.classes.gold.burst: found \"64KiB\" (string); accepted: "
			"only together with a \"rate\""},
		{RATE("'rate':'1Gbit/s','burst':65536"),
			"burst: found 65536 (number): a number without a unit; accepted: a string "
			"of a number and one of B, KiB"},
		{RATE("'rate':'1Gbit/s','burst':'64kB'"),
			"burst: found \"64kB\" (string): not one"},
		{RATE("'rate':'1Gbit/s','burst':'0B'"), "burst: found \"0B\""},
		{RATE("'rate':'1Gbit/s','burst':'2GiB'"),
			"accepted: one frame or more, up to 1GiB"},
		{RATE("'rate':'1Gbit/s','burst':'11s'"), "burst: found \"11s\""},
		{RATE("'rate':'1Gbit/s','burst':'1517B'"),
			"$.classes.gold.burst: found \"1517B\" (string); accepted: a burst of one "
			"frame or more: 1518B, which is 12144ns at this rate"},
		{RATE("'rate':'10Mbit/s','burst':'1ms'"),
			"found \"1ms\" (string); accepted: a burst of one frame or more: 1518B, "
			"which is 1214400ns at this rate"},
		{RATE("'rate':'3pps','burst':'333333333ns'"),
			"accepted: a burst of one frame or more, which is 333333334ns"},
		{RATE("'rate':'1kpps','burst':'64KiB'"),
			"burst: found \"64KiB\" (string); accepted: a burst as a time"},
		{RATE("'rate_layer':'l1'"), "$.classes.gold.rate_layer: found \"l1\" (string); "
					    "accepted: only together with a \"rate\" in bits"},
		{RATE("'rate':'1kpps','rate_layer':'l2'"), "rate_layer: found \"l2\""},
		{RATE("'rate':'1Gbit/s','rate_layer':1"),
			"rate_layer: found 1 (number); accepted: \"l1\" or \"l2\""},
		{VM_OF("'weight':1", ",'rate':5"), PLACE ".rate: found 5 (number)"},
		{VM_OF("'weight':1", ",'rate':'1bit/s'"), PLACE ".rate: found \"1bit/s\""},
		{VM_OF("'weight':1", ",'burst':'5ms'"), PLACE ".burst: found \"5ms\" (string); "
							      "accepted: only together with"},
		{VM_OF("'rate':'1Gbit/s','burst':'13us'", ",'rate':'10Mbit/s'"),
			PLACE ".rate: found \"10Mbit/s\" (string); accepted: a burst of one frame"},
		{VM_OF("'rate':'1Gbit/s','burst':'13us'", ",'burst':'12us'"),
			PLACE ".burst: found \"12us\""},
		{VM_OF("'rate':'1Gbit/s','burst':'1MiB'", ",'rate':'5pps'"),
			PLACE ".rate: found \"5pps\" (string); accepted: a burst as a time"},
		{VM_OF("'rate':'1Gbit/s'", ",'rate_layer':'l1'"),
			PLACE ".rate_layer: found an unknown key"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
	tp_config_free(accepted(RATE("'rate':'1Gbit/s','burst':'1518B'")));
	tp_config_free(accepted(RATE("'rate':'10Mbit/s','burst':'1214400ns'")));
	tp_config_free(accepted(RATE("'rate':'3pps','burst':'333333334ns'")));
	tp_config_free(accepted(RATE("'rate':'1000Mpps','burst':'1ns'")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(the_default_worker_core_is_on_this_machine),
		cmocka_unit_test(a_core_that_is_not_there_is_told_by_the_machine_check_only),
		cmocka_unit_test(a_tenant_says_only_what_differs_of_its_sockets),
		cmocka_unit_test(the_machine_check_finds_users_and_groups),
		cmocka_unit_test(a_group_comes_with_its_user),
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(a_billing_section_has_defaults),
		cmocka_unit_test(a_count_makes_consecutive_interfaces),
		cmocka_unit_test(one_mac_may_be_in_two_tenants),
		cmocka_unit_test(classes_are_checked),
		cmocka_unit_test(interfaces_are_checked),
		cmocka_unit_test(rates_are_inherited_and_replaced),
		cmocka_unit_test(rates_and_bursts_are_checked_together),
		cmocka_unit_test(the_rest_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
