/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

#include <errno.h>
#include <stdio.h>

#include "diff.h"
#include "places.h"

/* What has to change between two configurations, and where who is in both stands. */

#define CLASSES "'gold':{'bid':16},'iron':{'bid':2}"
#define TWO     FILE_OF(CLASSES, VM("1") "," VM("2"))

static struct tp_config *old, *new;
static struct tp_diff *diff;

static void compare(const char *before, const char *after)
{
	old = accepted(before);
	new = accepted(after);
	diff = tp_diff_new(old, new);
	assert_non_null(diff);
}

static void end(void)
{
	tp_diff_free(diff);
	tp_config_free(old);
	tp_config_free(new);
}

/* "~ class gold weight 1 -> 8;" for each change. */
static const char *told(void)
{
	static const char *const signs[] = {"-", "+", "~"};
	static char text[4096];
	json_t *list = tp_diff_to_json(diff);
	int length = 0;

	text[0] = '\0';
	assert_int_equal(json_array_size(list), diff->count);
	for (uint32_t i = 0; i < diff->count; i++) {
		const struct tp_change *change = &diff->change[i];

		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s %s %s",
			signs[change->way], tp_object_tables[change->kind].name,
			json_string_value(json_object_get(json_array_get(list, i), "name")));
		for (unsigned f = 0; f < change->fields && change->way == TP_CHANGE_SET; f++)
			length += snprintf(text + length, sizeof(text) - (size_t)length,
				" %s %s -> %s", change->field[f].name, change->field[f].from,
				change->field[f].to);
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s;",
			change->replaces ? " anew" : "");
	}
	json_decref(list);
	return text;
}

static void expect(const char *before, const char *after, const char *changes)
{
	compare(before, after);
	assert_string_equal(told(), changes);
	end();
}

static void equal_ones_do_not_differ(void **state)
{
	(void)state;
	expect(TWO, TWO, "");
	/* nor does the order matter, a default that is stated, or a unit */
	expect("{'classes':{" CLASSES "},'tenants':{'a':{},'b':{}}}",
		"{'tenants':{'b':{'mac_learning':false},'a':{}},'classes':{'iron':{'bid':2.0},"
		"'gold':{'weight':1,'bid':16,'on_full':{'hold':'1ms'}}}}",
		"");
	expect("{'classes':{'gold':{'bid':2,'rate':'1Gbit/s'}},'tenants':{'a':{}}}",
		"{'classes':{'gold':{'bid':2,'rate':'1000Mbit/s'}},'tenants':{'a':{}}}", "");
}

/* Each key of the file, changed alone. */
static void each_field_is_told(void **state)
{
	static const struct {
		const char *before, *after, *changes;
	} cases[] = {
		{"'tariff':{'per_frame':1},", "'tariff':{'per_frame':2},",
			"~ tariff  per_frame 1 -> 2;"},
		{"", "'tariff':{'per_64_bytes':9},", "~ tariff  per_64_bytes 1 -> 9;"},
		{"'billing':{},", "'billing':{'interval':'10s'},",
			"~ billing  interval 60s -> 10s;"},
		{"'billing':{},", "'billing':{'directory':'/x'},",
			"~ billing  directory /var/lib/turnpike -> /x;"},
		{"'dataplane':{'worker_cores':[1]},", "'dataplane':{'worker_cores':[1,3]},",
			"~ dataplane  worker_cores [1] -> [1, 3];"},
		{"'dataplane':{'worker_cores':[1]},",
			"'dataplane':{'worker_cores':[1],'control_core':2},",
			"~ dataplane  control_core any -> 2;"},
		{"'dataplane':{'hot_cache':'on'},", "'dataplane':{'hot_cache':'off'},",
			"~ dataplane  hot_cache on -> off;"},
		{"", "'dataplane':{'hot_contexts':9},", "~ dataplane  hot_contexts 4096 -> 9;"},
		{"", "'dataplane':{'stay_hot':'3ms'},", "~ dataplane  stay_hot 2ms -> 3ms;"},
		{"", "'dataplane':{'sweep_budget':'30us'},",
			"~ dataplane  sweep_budget 20us -> 30us;"},
		{"", "'dataplane':{'idle_sleep':false},", "~ dataplane  idle_sleep true -> false;"},
		{"", "'dataplane':{'control_socket':'/c'},",
			"~ dataplane  control_socket /run/turnpike/control.sock -> /c;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char before[512], after[512];

		snprintf(before, sizeof(before), "{%s'classes':{" GOLD "},'tenants':{'a':{}}}",
			cases[i].before);
		snprintf(after, sizeof(after), "{%s'classes':{" GOLD "},'tenants':{'a':{}}}",
			cases[i].after);
		expect(before, after, cases[i].changes);
	}
}

#define CLASS(fields) "{'classes':{'gold':{" fields "}},'tenants':{'a':{}}}"

static void each_field_of_a_class_is_told(void **state)
{
	(void)state;
	expect(CLASS("'bid':2"), CLASS("'bid':2.5"), "~ class gold bid 2 -> 2.5;");
	expect(CLASS("'bid':2"), CLASS("'bid':2,'weight':3"), "~ class gold weight 1 -> 3;");
	expect(CLASS("'bid':2"), CLASS("'bid':2,'pinned':true"),
		"~ class gold pinned false -> true;");
	expect(CLASS("'bid':2"), CLASS("'bid':2,'rate':'1500Mbit/s','burst':'2ms'"),
		"~ class gold rate none -> 1500Mbit/s, burst 2ms;");
	expect(CLASS("'bid':2,'rate':'10kpps'"),
		CLASS("'bid':2,'rate':'10Mbit/s','rate_layer':'l1'"),
		"~ class gold rate 10kpps -> 10Mbit/s, layer 1;");
	expect(CLASS("'bid':2"), CLASS("'bid':2,'on_full':'drop'"),
		"~ class gold on_full hold 1ms -> drop;");
	expect(CLASS("'bid':2"), CLASS("'bid':2,'flood_rate':'10kpps'"),
		"~ class gold flood_rate none -> 10kpps;");
	expect(CLASS("'bid':2,'on_full':'drop'"), CLASS("'bid':2,'on_full':{'hold':'1s'}"),
		"~ class gold on_full drop -> hold 1s;");
}

#define TENANT(fields) "{'classes':{" GOLD "},'tenants':{'a':{" fields "}}}"

static void each_field_of_a_tenant_is_told(void **state)
{
	(void)state;
	expect(TENANT(""), TENANT("'mac_learning':true"),
		"~ tenant a mac_learning off -> age 300s, per interface 64;");
	expect(TENANT("'mac_learning':true"), TENANT("'mac_learning':{'per_tenant':7}"),
		"~ tenant a mac_learning age 300s, per interface 64 -> age 300s, per interface 64, "
		"per tenant 7;");
	/* no more is told of it when an interface comes */
	expect("{'classes':{" CLASSES "},'tenants':{'acme':{'mac_learning':true}}}",
		"{'classes':{" CLASSES
		"},'tenants':{'acme':{'mac_learning':true,'interfaces':{" VM("1") "}}}}",
		"+ interface acme/vm1;");
	expect(TENANT(""), TENANT("'unknown_unicast':'flood'"),
		"~ tenant a unknown_unicast drop -> flood;");
	expect(TENANT("'budget':{'credits_per_second':7,'burst':8}"), TENANT(""),
		"~ tenant a budget 7 credits per second, burst 8 -> none;");
}

#define INTERFACE(fields) FILE_OF(CLASSES, "'vm':{" fields "}")
#define PLAIN             MAC1 ",'class':'gold','socket':'/a'"

static void each_field_of_an_interface_is_told(void **state)
{
	(void)state;
	expect(INTERFACE(PLAIN), INTERFACE(MAC1 ",'class':'iron','socket':'/a'"),
		"~ interface acme/vm class gold -> iron;");
	expect(INTERFACE(PLAIN),
		INTERFACE("'mac':'02:00:00:00:00:02','class':'gold','socket':'/a'"),
		"~ interface acme/vm mac 02:00:00:00:00:01 -> 02:00:00:00:00:02;");
	expect(INTERFACE(PLAIN),
		INTERFACE(PLAIN ",'macs':['02:00:00:00:00:03','02:00:00:00:00:04']"),
		"~ interface acme/vm macs none -> 02:00:00:00:00:03 02:00:00:00:00:04;");
	expect(INTERFACE(PLAIN), INTERFACE(PLAIN ",'rate':'1Gbit/s'"),
		"~ interface acme/vm rate of its class -> 1Gbit/s;");
	expect(INTERFACE(PLAIN), INTERFACE(PLAIN ",'source_mac_check':false"),
		"~ interface acme/vm source_mac_check true -> false;");
	expect(INTERFACE(PLAIN), INTERFACE(MAC1 ",'class':'gold','socket':'/b'"),
		"~ interface acme/vm socket /a -> /b anew;");
	expect(INTERFACE(PLAIN), INTERFACE(PLAIN ",'mode':'client'"),
		"~ interface acme/vm mode server -> client anew;");
	expect(INTERFACE(PLAIN), INTERFACE(PLAIN ",'queue_pairs':4"),
		"~ interface acme/vm queue_pairs 1 -> 4 anew;");
}

#define SOCKETS(sockets, interfaces)                                                               \
	"{'sockets':{" sockets "},'classes':{" CLASSES                                             \
	"},'tenants':{'acme':{'interfaces':{" interfaces "}}}}"

static void whose_a_socket_is_is_told_of_each(void **state)
{
	(void)state;
	expect(TWO, SOCKETS("'guests':{'group':'kvm','permissions':'0666'}", VM("1") "," VM("2")),
		"~ interface acme/vm1 socket_access 0660, owner by default, group by default -> "
		"0666, owner by default, group kvm anew;"
		"~ interface acme/vm2 socket_access 0660, owner by default, group by default -> "
		"0666, owner by default, group kvm anew;");
	/* one that the guest serves */
	expect(INTERFACE(PLAIN ",'mode':'client'"),
		SOCKETS("'guests':{'owner':'qemu'}", "'vm':{" PLAIN ",'mode':'client'}"), "");
	expect(TWO, SOCKETS("'control':{'group':'adm'}", VM("1") "," VM("2")),
		"~ process  control_socket_access 0600, owner by default, group by default -> "
		"0600, owner by default, group adm;");
}

/* What a class changes is told once, not of each of its interfaces. */
static void a_rate_of_a_class_is_told_of_the_class(void **state)
{
	(void)state;
	expect(FILE_OF("'gold':{'bid':2}", VM("1") "," VM("2")),
		FILE_OF("'gold':{'bid':2,'rate':'1Gbit/s'}", VM("1") "," VM("2")),
		"~ class gold rate none -> 1Gbit/s;");
}

static void names_are_identity(void **state)
{
	(void)state;
	expect(TWO, FILE_OF(CLASSES, VM("3") "," VM("2")),
		"- interface acme/vm1;+ interface acme/vm3;");
	/* of the same name, but another tenant's */
	expect("{'classes':{" CLASSES "},'tenants':{'a':{'interfaces':{" VM("1") "}},'b':{}}}",
		"{'classes':{" CLASSES "},'tenants':{'a':{},'b':{'interfaces':{" VM("1") "}}}}",
		"- interface a/vm1;+ interface b/vm1;");
	/* the class of the same name is another one to no interface, wherever it stands */
	expect(TWO,
		FILE_OF("'new':{'bid':3},'iron':{'bid':2},'gold':{'bid':16}", VM("2") "," VM("1")),
		"+ class new;");
}

/* --- which object it was, and its place ------------------------------------------------------ */

static void who_is_in_both_is_found(void **state)
{
	const uint32_t *from;

	(void)state;
	compare(FILE_OF(CLASSES, VM("1") "," VM("2") "," VM("3")),
		FILE_OF(CLASSES, VM("3") "," VM("4") ",'vm1':{" PLAIN "}"));
	from = diff->from[TP_OBJECT_INTERFACE];
	assert_int_equal(from[0], 2);
	assert_int_equal(from[1], TP_NOT_THERE);
	assert_int_equal(from[2], TP_NOT_THERE); /* another socket: it comes anew */
	end();
}

static void places_stay_and_are_not_given_to_two(void **state)
{
	struct tp_error error = {""};

	(void)state;
	compare(FILE_OF(CLASSES, VM("1") "," VM("2") "," VM("3")),
		FILE_OF("'zinc':{'bid':2},'iron':{'bid':2},'gold':{'bid':3}",
			VM("4") "," VM("3") "," VM("5") "," VM("1")));
	assert_int_equal(tp_places_assign(diff, new, &error), 0);
	assert_int_equal(new->classes[0].place, 2);
	assert_int_equal(new->classes[1].place, 1);
	assert_int_equal(new->classes[2].place, 0);
	/* vm2 goes, and is there until then: its place is nobody's yet */
	assert_int_equal(new->interfaces[0].place, 3);
	assert_int_equal(new->interfaces[1].place, 2);
	assert_int_equal(new->interfaces[2].place, 4);
	assert_int_equal(new->interfaces[3].place, 0);
	end();
}

/* The next time it is free. */
static void places_are_used_again(void **state)
{
	struct tp_error error = {""};
	struct tp_config *third = accepted(FILE_OF(CLASSES, VM("6") "," VM("4")));
	struct tp_diff *second;

	(void)state;
	compare(TWO, FILE_OF(CLASSES, VM("4")));
	assert_int_equal(tp_places_assign(diff, new, &error), 0);
	assert_int_equal(new->interfaces[0].place, 2);
	second = tp_diff_new(new, third);
	assert_int_equal(tp_places_assign(second, third, &error), 0);
	assert_int_equal(third->interfaces[0].place, 0);
	assert_int_equal(third->interfaces[1].place, 2);
	tp_diff_free(second);
	tp_config_free(third);
	end();
}

static char *many_classes(char letter)
{
	char *text = malloc(8192);
	int length = sprintf(text, "{'classes':{");

	for (unsigned i = 0; i < TP_CONFIG_CLASSES_MAX; i++)
		length += sprintf(text + length, "%s'%c%u':{'bid':2}", i > 0 ? "," : "", letter, i);
	sprintf(text + length, "},'tenants':{'a':{}}}");
	return text;
}

static void more_classes_than_places_are_refused(void **state)
{
	struct tp_error error = {""};
	char *a = many_classes('a');
	char *b = many_classes('b');

	(void)state;
	compare(a, b);
	assert_int_equal(tp_places_assign(diff, new, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "apply in two steps"));
	end();
	compare(a, a);
	assert_int_equal(tp_places_assign(diff, new, &error), 0);
	end();
	free(a);
	free(b);
}

static void what_cannot_change_is_refused(void **state)
{
	struct tp_error error = {""};

	(void)state;
	compare(TWO, TWO);
	assert_int_equal(tp_diff_check(diff, &error), 0);
	end();
	compare("{'classes':{" GOLD "},'tenants':{'a':{}}}",
		"{'dataplane':{'control_socket':'/c'},'classes':{" GOLD "},'tenants':{'a':{}}}");
	assert_int_equal(tp_diff_check(diff, &error), -EBUSY);
	assert_non_null(strstr(error.text, "dataplane.control_socket: found /c, "
					   "/run/turnpike/control.sock is in force"));
	assert_non_null(strstr(error.text, "stop it and start it with this file"));
	end();
}

/* Whoever reads it has a terminal. */
static void control_characters_are_made_visible(void **state)
{
#define AT(path)                                                                                   \
	"{'dataplane':{'control_socket':'" path "'},'classes':{" CLASSES "},'tenants':{'a':{}}}"
	struct tp_error error = {""};

	(void)state;
	compare(AT("/run/a"), AT("/run/b\x7f\\u001b[2J"));
	assert_string_equal(
		told(), "~ dataplane  control_socket /run/a -> /run/b\\u007f\\u001b[2J;");
	assert_int_equal(tp_diff_check(diff, &error), -EBUSY);
	assert_non_null(strstr(error.text, "found /run/b\\u007f\\u001b[2J, /run/a is in force"));
	end();
}

static void uplinks_are_told(void **state)
{
#define ON_WAN(network)                                                                            \
	"{'uplinks':{'wan':{'device':'net_null0'}},'classes':{" GOLD                               \
	"},'tenants':{'a':{'network':{" network "}}}}"
	struct tp_error error = {""};

	(void)state;
	expect("{'uplinks':{'wan':{'device':'net_null0'}},'classes':{" GOLD "},'tenants':{'a':{}}}",
		"{'uplinks':{'wan':{'device':'net_null0','mtu':9000}},'classes':{" GOLD
		"},'tenants':{'a':{'network':{'uplink':'wan','vlan':7}}}}",
		"~ uplink wan mtu 1500 -> 9000;~ tenant a network none -> wan, VLAN 7;");
	expect(ON_WAN("'uplink':'wan'"), ON_WAN("'uplink':'wan','mtu':1400"),
		"~ tenant a network wan -> wan, MTU 1400;");
	compare("{'uplinks':{'wan':{'device':'net_null0'}},'classes':{" GOLD
		"},'tenants':{'a':{}}}",
		"{'classes':{" GOLD "},'tenants':{'a':{}}}");
	assert_int_equal(tp_diff_check(diff, &error), -EBUSY);
	assert_non_null(strstr(error.text, "uplink wan cannot go while the appliance runs"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_ones_do_not_differ),
		cmocka_unit_test(each_field_is_told),
		cmocka_unit_test(each_field_of_a_class_is_told),
		cmocka_unit_test(each_field_of_a_tenant_is_told),
		cmocka_unit_test(each_field_of_an_interface_is_told),
		cmocka_unit_test(whose_a_socket_is_is_told_of_each),
		cmocka_unit_test(a_rate_of_a_class_is_told_of_the_class),
		cmocka_unit_test(names_are_identity),
		cmocka_unit_test(who_is_in_both_is_found),
		cmocka_unit_test(places_stay_and_are_not_given_to_two),
		cmocka_unit_test(places_are_used_again),
		cmocka_unit_test(more_classes_than_places_are_refused),
		cmocka_unit_test(what_cannot_change_is_refused),
		cmocka_unit_test(control_characters_are_made_visible),
		cmocka_unit_test(uplinks_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
