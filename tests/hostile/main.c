/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *   turnpike-hostile --list
 *   turnpike-hostile --bad SOCKET --peer SOCKET [--serve] [--times N] --case N
 *
 * The first prints the catalogue, the second plays a case and prints what became of it: JSON, one
 * line a case. Afterwards a well-behaved guest comes to the same interface; "usable" says whether
 * frames pass to and from it.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

static const struct hostile_group *const groups[] = {
	&hostile_protocol, &hostile_memory, &hostile_setup, &hostile_ring, &hostile_frames};

static void print_text(const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		printf(", \"%s\": null", name);
	else
		printf(", \"%s\": \"%s\"", name, text);
}

static void list(void)
{
	for (size_t g = 0; g < COUNT(groups); g++) {
		for (unsigned i = 0; i < groups[g]->count; i++) {
			const struct hostile_case *one = &groups[g]->cases[i];

			printf("{\"case\": %u, \"name\": \"%s\", \"group\": \"%s\", \"either\": "
			       "%s, "
			       "\"lab\": %s",
				one->number, one->name, groups[g]->name,
				one->either ? "true" : "false", one->lab ? "true" : "false");
			print_text("ends", one->ends);
			print_text("drop", one->drop);
			print_text("skipped", one->skipped);
			puts("}");
		}
	}
}

static const struct hostile_case *find(unsigned number)
{
	for (size_t g = 0; g < COUNT(groups); g++)
		for (unsigned i = 0; i < groups[g]->count; i++)
			if (groups[g]->cases[i].number == number)
				return &groups[g]->cases[i];
	return NULL;
}

/* Is the interface as good as new, for somebody who behaves? */
static bool usable(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	tp_frontend_free(hostile->peer);
	hostile->peer = NULL;
	hostile_peer(hostile, NULL);
	for (unsigned tries = 0; tries < (hostile->serve ? 5 : 1); tries++)
		if (hostile_exchange(hostile->bad, hostile->peer, BAD_MAC, PEER_MAC, 20) &&
			hostile_exchange(hostile->peer, hostile->bad, PEER_MAC, BAD_MAC, 20))
			return true;
	return false;
}

static void play(struct hostile *hostile, const struct hostile_case *one)
{
	bool good;

	one->run(hostile);
	printf("{\"case\": %u, \"ended\": %u, \"open\": %u, \"served\": %s, \"attach_ms\": %.3f",
		one->number, hostile->ended, hostile->open,
		!hostile->judged  ? "null"
		: hostile->served ? "true"
				  : "false",
		hostile->attach_ms);
	print_text("wrong", hostile->wrong);
	puts("}");
	fflush(stdout);
	/* Whoever reads looks at what the switch tells of it before the next guest comes. */
	hostile_leave(hostile);
	if (getchar() == EOF)
		return;
	good = usable(hostile);
	printf("{\"usable\": %s}\n", good ? "true" : "false");
	tp_frontend_free(hostile->bad);
	tp_frontend_free(hostile->peer);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"list", no_argument, NULL, 'l'},
		{"bad", required_argument, NULL, 'b'}, {"peer", required_argument, NULL, 'p'},
		{"serve", no_argument, NULL, 's'}, {"times", required_argument, NULL, 't'},
		{"case", required_argument, NULL, 'c'}, {0}};
	struct hostile hostile = {.times = 1};
	const struct hostile_case *one = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			return list(), 0;
		if (option == 'b')
			hostile.bad_path = optarg;
		if (option == 'p')
			hostile.peer_path = optarg;
		if (option == 's')
			hostile.serve = true;
		if (option == 't')
			hostile.times = (unsigned)strtoul(optarg, NULL, 10);
		if (option == 'c')
			one = find((unsigned)strtoul(optarg, NULL, 10));
		if (option == '?')
			return 2;
	}
	if (hostile.bad_path == NULL || hostile.peer_path == NULL || one == NULL ||
		one->run == NULL) {
		fputs("usage: turnpike-hostile --list | --bad SOCKET --peer SOCKET [--serve]"
		      " [--times N] --case N\n",
			stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	play(&hostile, one);
	return 0;
}
