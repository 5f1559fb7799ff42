/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

#include <errno.h>
#include <stdio.h>

#include "edit.h"

/* One thing of a configuration's JSON is changed; the rest stays as and where it is. */

#define BASE                                                                                       \
	"{'classes':{'gold':{'bid':16}},'tenants':{'acme':{'interfaces':{'vm1':{'mac':"            \
	"'02:00:00:00:00:01','class':'gold','socket':'/vm1'},'pod':{'count':3,'mac':"              \
	"'02:00:00:00:00:ff','class':'gold','socket':'/pod%d.sock'},'vm2':{'mac':"                 \
	"'02:00:00:00:00:02','class':'gold','socket':'/vm2'}}},'zeta':{}}}"

static json_t *load(const char *text)
{
	char *json = strdup(text);
	json_t *value;

	for (char *c = json; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(json, JSON_DECODE_ANY, NULL);
	if (value == NULL)
		fail_msg("no JSON: %s", json);
	free(json);
	return value;
}

static int edit(const char *text, const char *edits, char **edited, struct tp_error *error)
{
	json_t *document = load(text);
	json_t *list = load(edits);
	char *json = json_dumps(document, JSON_COMPACT);
	int result = tp_config_edit(json, strlen(json), list, edited, error);

	free(json);
	json_decref(list);
	json_decref(document);
	return result;
}

static void expect(const char *edits, const char *expected)
{
	struct tp_error error = {""};
	json_t *wanted = load(expected);
	char *edited, *compact, *in_order;
	json_t *got;

	if (edit(BASE, edits, &edited, &error) < 0)
		fail_msg("%s", error.text);
	got = json_loads(edited, 0, NULL);
	compact = json_dumps(got, JSON_COMPACT);
	in_order = json_dumps(wanted, JSON_COMPACT);
	assert_string_equal(compact, in_order);
	free(compact);
	free(in_order);
	free(edited);
	json_decref(got);
	json_decref(wanted);
}

static void expect_refused(const char *edits, const char *words)
{
	struct tp_error error = {""};
	char *edited;

	assert_true(edit(BASE, edits, &edited, &error) < 0);
	assert_null(edited);
	if (strstr(error.text, words) == NULL)
		fail_msg("says: %s\nexpected: %s", error.text, words);
}

#define POD      "'pod':{'count':3,'mac':'02:00:00:00:00:ff','class':'gold','socket':'/pod%d.sock'}"
#define VM1      "'vm1':{'mac':'02:00:00:00:00:01','class':'gold','socket':'/vm1'}"
#define VM2      "'vm2':{'mac':'02:00:00:00:00:02','class':'gold','socket':'/vm2'}"
#define GOLDEN   "'classes':{'gold':{'bid':16}}"
#define ACME(is) "{" GOLDEN ",'tenants':{'acme':{'interfaces':{" is "}},'zeta':{}}}"

static void interfaces_come_change_and_go(void **state)
{
	(void)state;
	expect("[{'edit':'add','kind':'interface','name':'acme/vm3','fields':{'class':'gold'}}]",
		ACME(VM1 "," POD "," VM2 ",'vm3':{'class':'gold'}"));
	expect("[{'edit':'add','kind':'interface','name':'zeta/vm3','fields':{'class':'gold'}}]",
		"{" GOLDEN ",'tenants':{'acme':{'interfaces':{" VM1 "," POD "," VM2
		"}},'zeta':{'interfaces':{'vm3':{'class':'gold'}}}}}");
	expect("[{'edit':'remove','kind':'interface','name':'acme/vm1'}]", ACME(POD "," VM2));
	expect("[{'edit':'remove','kind':'interface','name':'acme/pod'}]", ACME(VM1 "," VM2));
	expect("[{'edit':'set','kind':'interface','name':'acme/vm1','fields':{'class':'x',"
	       "'rate':'1Gbit/s','socket':null}}]",
		ACME("'vm1':{'mac':'02:00:00:00:00:01','class':'x','rate':'1Gbit/s'}," POD
		     "," VM2));
}

/* Names, MACs and sockets are what the count made of them. */
static void one_of_a_counted_entry(void **state)
{
	(void)state;
	expect("[{'edit':'remove','kind':'interface','name':'acme/pod1'}]",
		ACME(VM1 ",'pod0':{'mac':'02:00:00:00:00:ff','class':'gold','socket':'/pod0.sock'},"
			 "'pod2':{'mac':'02:00:00:00:01:01','class':'gold','socket':"
			 "'/pod2.sock'}," VM2));
	expect("[{'edit':'set','kind':'interface','name':'acme/pod0','fields':{'class':'x'}},"
	       "{'edit':'remove','kind':'interface','name':'acme/pod1'},"
	       "{'edit':'remove','kind':'interface','name':'acme/pod2'}]",
		ACME(VM1 ",'pod0':{'mac':'02:00:00:00:00:ff','class':'x','socket':'/"
			 "pod0.sock'}," VM2));
	expect_refused("[{'edit':'remove','kind':'interface','name':'acme/pod3'}]",
		"interface acme/pod3 is not there");
	expect_refused("[{'edit':'remove','kind':'interface','name':'acme/pod01'}]",
		"interface acme/pod01 is not there");
}

static void others_come_change_and_go(void **state)
{
	(void)state;
	expect("[{'edit':'add','kind':'class','name':'iron','fields':{'bid':2}},"
	       "{'edit':'remove','kind':'tenant','name':'acme'},"
	       "{'edit':'set','kind':'tenant','name':'zeta','fields':{'mac_learning':true}},"
	       "{'edit':'set','kind':'tariff','fields':{'per_frame':3}}]",
		"{'classes':{'gold':{'bid':16},'iron':{'bid':2}},'tenants':{'zeta':{"
		"'mac_learning':true}},'tariff':{'per_frame':3}}");
}

static void what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	expect_refused("{}", "edits: accepted: a list");
	expect_refused("[3]", "edit: accepted: {");
	expect_refused("[{'edit':'fly','kind':'class','name':'gold'}]", "found \"fly\"");
	expect_refused("[{'edit':'set','kind':'moon','name':'gold'}]", "found kind \"moon\"");
	expect_refused(
		"[{'edit':'set','kind':'interface','name':'vm1'}]", "accepted: TENANT/INTERFACE");
	expect_refused("[{'edit':'set','kind':'interface','name':'nobody/vm1'}]",
		"found tenant \"nobody\"");
	expect_refused("[{'edit':'add','kind':'class','name':'gold'}]", "is there already");
	expect_refused("[{'edit':'set','kind':'class','name':'lead'}]", "class lead is not there");
	expect_refused("[{'edit':'remove','kind':'tariff'}]", "accepted: set");
	expect_refused(
		"[{'edit':'set','kind':'class','name':'gold','fields':3}]", "edit: accepted: {");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces_come_change_and_go),
		cmocka_unit_test(one_of_a_counted_entry),
		cmocka_unit_test(others_come_change_and_go),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
