/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Files that are broken, hostile or too big. DEMO is the path of config/demo.json. */

static char *load_demo(size_t *length)
{
	FILE *file = fopen(DEMO, "re");
	char *text = malloc(65536);

	assert_non_null(file);
	*length = fread(text, 1, 65535, file);
	text[*length] = '\0';
	fclose(file);
	return text;
}

static void refused_bytes(const char *text, size_t length, const char *message)
{
	struct tp_error error = {""};
	struct tp_config *config = tp_config_parse(text, length, "test.json", &error);

	if (config != NULL)
		fail_msg("accepted: %.*s", (int)length, text);
	if (strstr(error.text, message) == NULL || strncmp(error.text, "test.json: ", 11) != 0)
		fail_msg("says: %s\n  expect: %s", error.text, message);
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
	size_t length;
	char *text = load_demo(&length);
	size_t end = (size_t)(strrchr(text, '}') - text);

	(void)state;
	assert_true(end > 100);
	for (size_t cut = 0; cut <= end; cut++) {
		/* in memory of its own size, so that a sanitizer sees a read behind the end */
		char *part = malloc(cut + (cut == 0));

		memcpy(part, text, cut);
		refused_bytes(part, cut, cut == 0 ? "line 1, column 0: " : "line ");
		free(part);
	}
	free(text);
}

static bool same_type(const json_t *left, const json_t *right)
{
	if (json_is_number(left) || json_is_boolean(left))
		return json_is_number(left) == json_is_number(right) &&
		       json_is_boolean(left) == json_is_boolean(right);
	return json_typeof(left) == json_typeof(right);
}

/* @param member  of the value at that place, ".x", or "" */
static void refused_tree(json_t *root, const char *place, const char *member)
{
	char *text = json_dumps(root, 0);
	char expected[320];

	snprintf(expected, sizeof(expected), "test.json: %s%s: found ", place, member);
	refused_bytes(text, strlen(text), expected);
	free(text);
}

static unsigned replaced;

/* Puts every other type in place of each member of an object, and goes down into it. */
static void replace_members(json_t *root, json_t *object, const char *place)
{
	json_t *others = json_loads("[{\"x\":1},[1],\"x\",7,true,null]", 0, NULL);
	char **names = calloc(json_object_size(object) + 1, sizeof(*names));
	size_t count = 0;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) names[count++] = strdup(name);
	for (size_t i = 0; i < count; i++) {
		json_t *original = json_incref(json_object_get(object, names[i]));
		char below[256];

		snprintf(below, sizeof(below), names[i][0] == '$' ? "%s[\"%s\"]" : "%s.%s", place,
			names[i]);
		for (size_t other = 0; other < json_array_size(others); other++) {
			if (same_type(original, json_array_get(others, other)))
				continue;
			json_object_set(object, names[i], json_array_get(others, other));
			/* Where an object is another way to say it, its key is what is wrong. */
			refused_tree(root, below,
				other == 0 && strcmp(names[i], "mac_learning") == 0 ? ".x" : "");
			replaced++;
		}
		json_object_set(object, names[i], original);
		if (json_is_object(original))
			replace_members(root, original, below);
		json_decref(original);
		free(names[i]);
	}
	free(names);
	json_decref(others);
}

static void every_value_of_another_type_is_refused_at_its_place(void **state)
{
	json_t *root = json_load_file(DEMO, 0, NULL);

	(void)state;
	assert_non_null(root);
	json_object_set_new(
		root, "billing", json_pack("{s:s, s:s}", "directory", "/x", "interval", "60s"));
	replaced = 0;
	replace_members(root, root, "$");
	assert_true(replaced > 165);
	json_decref(root);
}

static void duplicate_keys_are_refused_with_line_and_column(void **state)
{
	(void)state;
	refused("{'classes':{},\n 'classes':{}}", "line 2, column 10: duplicate object key");
	refused(FILE_OF("'gold':{'bid':2,'bid':3}", ""), "duplicate object key near '\"bid\"'");
	refused(FILE_OF(GOLD, "'a':{},'a':{}"), "duplicate object key near '\"a\"'");
}

static void syntax_errors_give_line_and_column(void **state)
{
	(void)state;
	refused("", "line 1, column 0: ");
	refused("{", "line 1, column 1: ");
	refused("{\n  'classes' {}\n}", "line 2, column 13: ");
	refused("{} x", "line 1, column 4: ");
	refused("{'a':01}", "line 1, column 6: ");
	refused("{'a':NaN}", "line 1, column ");
	refused("{'a':'\\u0000'}", "line 1, column 13: found a NUL character");
	refused("{'\\u0000':1}", "line 1, column ");
	refused("{'a':'\\ud800'}", "line 1, column ");
}

static void numbers_beyond_64_bits_are_refused(void **state)
{
	(void)state;
	refused("{'tariff':{'per_frame':99999999999999999999}}",
		"line 1, column 43: found a number beyond 64 bits");
	refused("{'tariff':{'per_frame':1e999}}", "found a number beyond 64 bits");
	refused(FILE_OF("'gold':{'bid':2,'weight':9223372036854775807}", ""),
		"$.classes.gold.weight: found 9223372036854775807");
	refused(FILE_OF("'gold':{'bid':2,'weight':18446744073709551617.0}", ""),
		"$.classes.gold.weight: found 1.84467440737096e+19");
	refused(FILE_OF("'gold':{'bid':2,'weight':4294967297}", ""),
		"$.classes.gold.weight: found 4294967297");
}

static void what_is_not_utf8_is_refused(void **state)
{
	static const char *const bytes[] = {
		"\xff", "\xc3\x28", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\xe2\x82"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		int length = snprintf(text, sizeof(text), "{\n\"cl%s\": 1}", bytes[i]);

		refused_bytes(text, (size_t)length, "line 2, column ");
		refused_bytes(text, (size_t)length, "not UTF-8");
	}
	refused_bytes("{\0}", 3, "line 1, column ");
	refused_bytes("\xff\xfe{\0}\0", 6, "not UTF-8");
}

static void deep_nesting_is_refused(void **state)
{
	size_t length = (size_t)8 << 20;
	char *text = malloc(length);

	(void)state;
	memset(text, '[', length);
	refused_bytes(text, length, "nested too deeply");
	for (size_t i = 0; i + 5 <= length; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	refused_bytes(text, length, "nested too deeply");
	free(text);
}

static void names_of_any_length_leave_the_message_whole(void **state)
{
	size_t length = (size_t)1 << 20;
	char *text = malloc(length + 8);

	(void)state;
	memset(text, 'k', length);
	memcpy(text, "{\"", 2);
	memcpy(text + length, "\":1}", 4);
	refused_bytes(text, length + 4, "kkk...\"]: found an unknown key; accepted keys: $schema");
	free(text);
}

/* A memory file of this size, filled with blanks. */
static int open_blank_file(size_t size)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	char blanks[65536];

	assert_true(fd >= 0);
	memset(blanks, ' ', sizeof(blanks));
	for (size_t written = 0; written < size; written += sizeof(blanks))
		assert_true(write(fd, blanks, sizeof(blanks)) == (ssize_t)sizeof(blanks));
	return fd;
}

static void refused_file(const char *path, const char *message)
{
	struct tp_error error = {""};

	assert_null(tp_config_read(path, &error));
	if (strstr(error.text, message) == NULL || strncmp(error.text, path, strlen(path)) != 0)
		fail_msg("says: %s\n  expect: %s", error.text, message);
}

static void a_file_of_100_mb_is_refused_by_its_size(void **state)
{
	int fd = open_blank_file((size_t)100 << 20);
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	refused_file(path, "found 104857600 bytes; accepted: a JSON file of at most 16 MiB");
	close(fd);
}

static void a_stream_without_end_is_refused_by_its_size(void **state)
{
	(void)state;
	refused_file("/dev/zero", "found more than 16 MiB");
}

static void places_that_are_not_files_are_refused(void **state)
{
	(void)state;
	refused_file("/", "found a directory; accepted: a JSON file");
	refused_file("/nowhere/demo.json", "No such file or directory");
	refused_file("/dev/null", "line 1, column 0: ");
	refused_file("/proc/self/mem", "cannot be read: ");
}

static void the_demo_is_accepted(void **state)
{
	struct tp_error error = {""};
	struct tp_config *config = tp_config_read(DEMO, &error);

	(void)state;
	if (config == NULL)
		fail_msg("%s", error.text);
	assert_int_equal(config->class_count, 3);
	assert_int_equal(config->tenant_count, 2);
	tp_config_free(config);
	assert_null(tp_config_read("/nowhere", NULL));
}

static void two_of_a_kind_are_refused_with_both_names(void **state)
{
	(void)state;
	refused(FILE_OF(GOLD, VM("1") ",'vm2':{" MAC1 ",'class':'gold','socket':'/b'}"),
		"$.tenants.acme.interfaces.vm2.mac: found 02:00:00:00:00:01, which interface vm1");
	refused(FILE_OF(GOLD, VM("5") ",'pod':{'count':9,'mac':'02:00:00:00:00:00',"
				      "'class':'gold','socket':'/b%d'}"),
		"interfaces.pod5.mac: found 02:00:00:00:00:05, which interface vm5 has too");
	refused(FILE_OF(GOLD, VM("1") ",'vm2':{'mac':'02:00:00:00:00:02','"
				      "class':'gold'," SOCKET("1")),
		"interfaces.vm2.socket: found \"/run/vm1.sock\", "
		"which interface vm1 of tenant "
		"acme has too");
	refused(FILE_OF(GOLD, VM("1") ",'vm':{'count':2,'mac':'02:00:"
				      "00:00:01:00','class':'gold',"
				      "'socket':'/b%d'}"),
		"$.tenants.acme.interfaces.vm1: found this name "
		"twice");
	refused("{'classes':{'gold':{'bid':16}},'tenants':{"
		"'umbra':{'interfaces':{'vm1':{" MAC1 ",'class':'gold','socket':'/a'}}},"
		"'acme':{'interfaces':{'vm1':{" MAC1 ",'class':'gold','socket':'/a'}}}}}",
		"$.tenants.acme.interfaces.vm1.socket: found \"/a\", "
		"which interface vm1 of tenant "
		"umbra has too");
	refused("{'dataplane':{'control_socket':'/"
		"c'},'classes':{'gold':{'bid':16}},'tenants':{"
		"'acme':{'interfaces':{'vm1':{" MAC1 ",'class':'gold','socket':'/c'}}}}}",
		"interfaces.vm1.socket: found \"/c\", the control "
		"socket");
}

#define CROWD(count, hot, pinned)                                                                  \
	"{'dataplane':{'hot_contexts':" hot "},'classes':{'gold':{'bid':16,'pinned':" pinned       \
	"}},'tenants':{'acme':{'interfaces':{'pod':{'count':" count                                \
	",'mac':'02:00:00:00:00:00','class':'gold','socket':'/run/p%d'}}},"                        \
	"'umbra':{'interfaces':{'vm1':{" MAC1 ",'class':'gold','socket':'/a'}}}}}"

static void too_many_interfaces_or_pins_are_refused(void **state)
{
	(void)state;
	refused(CROWD("65536", "512", "false"), "found interface number 65537; accepted: at most "
						"65536 interfaces in all");
	refused(CROWD("512", "512", "true"), "$.dataplane.hot_contexts: found 512 hot contexts for "
					     "513 queue pairs of pinned classes");
	tp_config_free(accepted(CROWD("511", "512", "true")));
}

static void the_largest_configuration_is_checked_quickly(void **state)
{
	struct timespec start, end;
	struct tp_config *config;

	(void)state;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	config = accepted(CROWD("65535", "512", "false"));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_int_equal(config->interface_count, 65536);
	/* a check of every pair would take minutes; the bound leaves room for sanitizers */
	assert_true(end.tv_sec - start.tv_sec < 3);
	tp_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_demo_is_accepted),
		cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
		cmocka_unit_test(every_value_of_another_type_is_refused_at_its_place),
		cmocka_unit_test(duplicate_keys_are_refused_with_line_and_column),
		cmocka_unit_test(syntax_errors_give_line_and_column),
		cmocka_unit_test(numbers_beyond_64_bits_are_refused),
		cmocka_unit_test(what_is_not_utf8_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(names_of_any_length_leave_the_message_whole),
		cmocka_unit_test(a_file_of_100_mb_is_refused_by_its_size),
		cmocka_unit_test(a_stream_without_end_is_refused_by_its_size),
		cmocka_unit_test(places_that_are_not_files_are_refused),
		cmocka_unit_test(two_of_a_kind_are_refused_with_both_names),
		cmocka_unit_test(too_many_interfaces_or_pins_are_refused),
		cmocka_unit_test(the_largest_configuration_is_checked_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
