/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "appliance.h"

#define STEP_US    5000
#define START_MS   30000
#define END_MS     20000
#define EXPECT_MS  5000
#define PATH_BYTES 64

static const char *program;

void appliance_program(const char *path)
{
	program = path;
}

static void path_in(const struct appliance *appliance, const char *name, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/%s", appliance->directory, name);
}

/* Write text with the directory in place of "@", and ' for ". */
static void write_placed(FILE *file, const char *text, const char *directory)
{
	for (; *text != '\0'; text++) {
		if (*text == '@')
			fputs(directory, file);
		else
			fputc(*text == '\'' ? '"' : *text, file);
	}
}

static void write_config(const struct appliance *appliance, const char *name, const char *control,
	const char *dataplane, const char *tenants)
{
	const char *all = getenv("SCENE_DATAPLANE"); /* for every configuration */
	char path[PATH_BYTES];
	FILE *file;

	path_in(appliance, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"dataplane\":{\"control_socket\":\"%s/%s\"%s%s%s", appliance->directory,
		control, all == NULL ? "" : ",", all == NULL ? "" : all,
		dataplane == NULL ? "" : ",");
	write_placed(file, dataplane == NULL ? "" : dataplane, appliance->directory);
	fputs("},\"classes\":{\"gold\":{\"bid\":16},\"drop\":{\"bid\":2,\"on_full\":\"drop\"}},"
	      "\"tenants\":{",
		file);
	write_placed(file, tenants, appliance->directory);
	fputs("}}\n", file);
	assert_int_equal(fclose(file), 0);
}

void appliance_configure(struct appliance *appliance, const char *dataplane, const char *tenants)
{
	if (appliance->directory[0] == '\0') {
		strcpy(appliance->directory, "/tmp/appliance.XXXXXX");
		assert_non_null(mkdtemp(appliance->directory));
	}
	write_config(appliance, "config.json", "control.sock", dataplane, tenants);
	write_config(appliance, "second.json", "second.sock", dataplane, tenants);
}

/* The child: its log in a file, its own EAL prefix, no huge pages, so that many run side by side.
 */
static void run_program(const struct appliance *appliance, const char *config, const char *log)
{
	char config_path[PATH_BYTES], log_path[PATH_BYTES], prefix[PATH_BYTES];
	int output;

	path_in(appliance, config, config_path);
	path_in(appliance, log, log_path);
	snprintf(
		prefix, sizeof(prefix), "--file-prefix=%s", strrchr(appliance->directory, '/') + 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test is killed */
	output = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execl(program, program, "--no-huge", "-m", "160", "--no-telemetry", "--no-shconf", prefix,
		"--", "--config", config_path, NULL);
	_exit(127);
}

static pid_t launch(const struct appliance *appliance, const char *config, const char *log)
{
	pid_t process = fork();

	assert_true(process >= 0);
	if (process == 0)
		run_program(appliance, config, log);
	return process;
}

static void print_log(const struct appliance *appliance)
{
	char path[PATH_BYTES], text[4096];
	FILE *file;
	size_t length;

	path_in(appliance, "log", path);
	file = fopen(path, "r");
	if (file == NULL)
		return;
	if (fseek(file, -(long)sizeof(text), SEEK_END) < 0)
		rewind(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	fprintf(stderr, "--- log of the appliance ---\n%.*s---\n", (int)length, text);
}

/* @return a connected socket, or -1. */
static int connect_control(const struct appliance *appliance)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	path_in(appliance, "control.sock", address.sun_path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

void appliance_start(struct appliance *appliance)
{
	appliance->process = launch(appliance, "config.json", "log");
	for (int waited = 0; waited < START_MS; waited += STEP_US / 1000) {
		int fd = connect_control(appliance);

		if (fd >= 0) {
			close(fd);
			return;
		}
		if (waitpid(appliance->process, NULL, WNOHANG) == appliance->process) {
			appliance->process = 0;
			print_log(appliance);
			fail_msg("the appliance ended at its start");
		}
		usleep(STEP_US);
	}
	print_log(appliance);
	fail_msg("the appliance is not ready after %d ms", START_MS);
}

/* @return wait status, or -1 when it does not end. */
static int wait_end(pid_t process)
{
	int status;

	for (int waited = 0; waited < END_MS; waited += STEP_US / 1000) {
		if (waitpid(process, &status, WNOHANG) == process)
			return status;
		usleep(STEP_US);
	}
	kill(process, SIGKILL);
	waitpid(process, &status, 0);
	return -1;
}

int appliance_start_second(
	struct appliance *appliance, bool other_control, char *output, size_t size)
{
	pid_t process =
		launch(appliance, other_control ? "second.json" : "config.json", "second.log");
	char path[PATH_BYTES];
	int status = wait_end(process);
	FILE *file;

	path_in(appliance, "second.log", path);
	file = fopen(path, "r");
	assert_non_null(file);
	output[fread(output, 1, size - 1, file)] = '\0';
	fclose(file);
	unlink(path);
	if (!WIFEXITED(status))
		fail_msg("the second appliance did not end by itself: %s", output);
	return WEXITSTATUS(status);
}

static void remove_directory(struct appliance *appliance, unsigned *sockets)
{
	DIR *directory = opendir(appliance->directory);
	const struct dirent *entry;
	char path[PATH_BYTES + sizeof(entry->d_name)];

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", appliance->directory, entry->d_name);
		*sockets += entry->d_type == DT_SOCK;
		unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(appliance->directory);
	appliance->directory[0] = '\0';
}

void appliance_stop(struct appliance *appliance)
{
	unsigned sockets = 0;
	int status;

	kill(appliance->process, SIGTERM);
	status = wait_end(appliance->process);
	appliance->process = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		print_log(appliance);
		fail_msg("the appliance ended with status 0x%x", status);
	}
	remove_directory(appliance, &sockets);
	if (sockets != 0)
		fail_msg("the appliance left %u sockets", sockets);
}

void appliance_kill(struct appliance *appliance)
{
	if (appliance->process == 0)
		return;
	kill(appliance->process, SIGKILL);
	waitpid(appliance->process, NULL, 0);
	appliance->process = 0;
}

void appliance_discard(struct appliance *appliance)
{
	unsigned sockets = 0;

	if (appliance->process != 0)
		print_log(appliance);
	appliance_kill(appliance);
	if (appliance->directory[0] != '\0')
		remove_directory(appliance, &sockets);
}

json_t *appliance_ask(const struct appliance *appliance, const char *request)
{
	int fd = connect_control(appliance);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r+");
	json_t *answer, *result;

	if (stream == NULL)
		fail_msg("the appliance does not serve its control socket any more");
	dprintf(fd, "%s\n", request);
	answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, NULL);
	fclose(stream);
	result = json_incref(json_object_get(answer, "result"));
	if (result == NULL)
		fail_msg("the appliance does not answer %s", request);
	json_decref(answer);
	return result;
}

json_t *appliance_show(const struct appliance *appliance, const char *what)
{
	char request[80];

	snprintf(request, sizeof(request), "{\"command\":\"show\",\"what\":\"%s\"}", what);
	return appliance_ask(appliance, request);
}

static bool is_named(const json_t *object, const char *interface)
{
	char name[80];

	snprintf(name, sizeof(name), "%s/%s", json_string_value(json_object_get(object, "tenant")),
		json_string_value(json_object_get(object, "name")));
	return strcmp(name, interface) == 0;
}

/* @return a new reference. */
static json_t *find_interface(const struct appliance *appliance, const char *interface)
{
	json_t *list = appliance_show(appliance, "interfaces");
	json_t *found = NULL, *object;
	size_t i;

	json_array_foreach(list, i, object) if (is_named(object, interface)) found =
		json_incref(object);
	json_decref(list);
	if (found == NULL)
		fail_msg("no interface %s", interface);
	return found;
}

static uint64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("show has no number \"%s\"", key);
	return (uint64_t)json_integer_value(value);
}

uint64_t appliance_counter(
	const struct appliance *appliance, const char *interface, const char *counter)
{
	json_t *object = find_interface(appliance, interface);
	uint64_t value = number(json_object_get(object, "counters"), counter);

	json_decref(object);
	return value;
}

const char *appliance_text(
	const struct appliance *appliance, const char *interface, const char *key)
{
	static char text[256];
	json_t *object = find_interface(appliance, interface);
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%s",
			json_is_string(value) ? json_string_value(value) : "");
	json_decref(object);
	return text;
}

void appliance_wait_text(const struct appliance *appliance, const char *interface, const char *key,
	const char *expected)
{
	for (int waited = 0; waited < EXPECT_MS; waited += STEP_US / 1000) {
		if (strstr(appliance_text(appliance, interface, key), expected) != NULL)
			return;
		usleep(STEP_US);
	}
	fail_msg("%s: %s is \"%s\", expected \"%s\"", interface, key,
		appliance_text(appliance, interface, key), expected);
}

void appliance_wait_counter(const struct appliance *appliance, const char *interface,
	const char *counter, uint64_t value)
{
	uint64_t found = 0;

	for (int waited = 0; waited < EXPECT_MS; waited += STEP_US / 1000) {
		found = appliance_counter(appliance, interface, counter);
		if (found >= value)
			return;
		usleep(STEP_US);
	}
	fail_msg("%s: %s is %llu, expected %llu", interface, counter, (unsigned long long)found,
		(unsigned long long)value);
}

static unsigned count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned lines = 0;
	int c;

	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

unsigned appliance_mappings(const struct appliance *appliance)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "/proc/%d/maps", appliance->process);
	return count_lines(path);
}

unsigned appliance_descriptors(const struct appliance *appliance)
{
	char path[PATH_BYTES];
	unsigned count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", appliance->process);
	directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}
