/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fuzz target without a fuzzer: runs it once for each file that is named, and for each file in
 * each directory that is named. So a corpus is an ordinary test, with any compiler.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "input.h"

static unsigned long runs;

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static void replay_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size + 1);
	FILE *file = fopen(path, "rbe");

	if (data == NULL || file == NULL || fread(data, 1, size, file) != size)
		fail(path);
	fclose(file);
	/* In a block of just its size, so that a sanitizer sees what is read behind it. */
	data = realloc(data, size > 0 ? size : 1);
	if (data == NULL)
		fail(path);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	runs++;
}

static void replay(const char *path)
{
	struct stat status;
	struct dirent **entries;
	int count;

	if (stat(path, &status) < 0)
		fail(path);
	if (!S_ISDIR(status.st_mode)) {
		replay_file(path, (size_t)status.st_size);
		return;
	}
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		fail(path);
	for (int i = 0; i < count; i++) {
		char *name = NULL;

		if (entries[i]->d_name[0] != '.') {
			if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
				fail(path);
			replay(name);
		}
		free(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int count, char **arguments)
{
	for (int i = 1; i < count; i++)
		replay(arguments[i]);
	printf("%lu inputs\n", runs);
	/* A test that finds no input has tested nothing. */
	return runs > 0 ? 0 : 1;
}
