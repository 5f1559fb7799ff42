/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "search.h"
#include "traffic/engine.h"

/* What the files of turnpike-guest share. One thread runs all of this. */

#define EXIT_OK     0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

/* What the command line says. Texts are its own; nothing is freed. */
struct options {
	/* devices */
	const char **sockets; /* as given, "%d" not replaced */
	unsigned socket_count;
	unsigned count; /* devices of a socket with "%d" */
	unsigned first;
	const char *config;
	const char *tenant;
	uint8_t mac[6];
	struct tp_frontend_settings frontend;
	bool mergeable, packed, in_order, event_index;
	bool attach_one_by_one;
	bool reconnect;
	const char *cores;
	const char *deaf;
	const char *slow;
	const char *leave;
	const char **groups; /* of --group, as given */
	unsigned group_count;
	unsigned rxq, txq, rxd, txd;
	unsigned threads;
	/* load */
	struct tp_engine_load load;
	const char **parts; /* "rate", "gold=1Mpps", ...: for groups, whose numbers come later */
	unsigned part_count;
	/* run */
	double seconds; /* 0: until interrupted */
	double warm_up;
	double trial; /* seconds */
	bool search;
	struct tp_search_goal goal;
	double stats_period;
	bool json, per_device, per_flow, interactive, auto_start, tx_first;
};

/* The devices that the options name, and who they are. */
struct guests {
	struct tp_engine_device *devices;
	unsigned count;
	char **paths;
	char *group_name[TP_ENGINE_GROUPS_MAX]; /* NULL: no device in it, or no groups */
	struct tp_config *config;               /* of --config, or NULL */
};

/* What the last run has shown. */
struct results {
	struct tp_engine_reports during; /* when the time measured was over: throughput, latency */
	struct tp_engine_reports after;  /* when the last frame had come: loss, faults */
	struct tp_engine_counts *device; /* of each, when the time was over */
};

struct guest {
	struct options options;
	struct guests guests;
	struct tp_engine *engine;
	struct tp_engine_load load; /* for the next run; options.load at first */
	bool running;
	struct results results;
	struct tp_engine_counts *shown; /* at the last show, per device */
	double *shown_at;               /* seconds of CLOCK_MONOTONIC, 0: never */
};

/** Set by SIGINT and SIGTERM. */
extern volatile sig_atomic_t guest_interrupted;

/* --- options.c, testpmd_options.c --- */
/** Read the command line; ends the program with EXIT_USAGE when it is wrong. */
void options_read(struct options *options, int argc, char **argv);
/** The part behind "--". @param argv  argv[0] is the program's name for messages */
void options_read_testpmd(struct options *options, int argc, char **argv);
/** A whole number from least to most, or the program ends with a message. */
unsigned options_number(struct argp_state *state, const char *name, const char *text,
	unsigned least, unsigned most);

/* --- devices.c --- */
/** Make the devices. @return 0, or negative errno with *error set. */
int guests_make(struct guests *guests, const struct options *options, struct tp_error *error);
void guests_free(struct guests *guests);
/** Put the CPU numbers of "1,3-4" into the settings. As guests_make. */
int read_cores(const char *text, struct tp_engine_settings *settings, struct tp_error *error);

/* --- list.c --- */
/**
 * Read "0,3-5", "1-9/2" (each second) up to the first character that does not belong to it.
 * @param limit  numbers must be less
 * @param take   called for each number; NULL: only check
 * @return what stands behind the list, or NULL if it is none.
 */
const char *read_list(const char *text, unsigned limit,
	void (*take)(void *context, unsigned number), void *context);

/* --- habits.c: 0, or negative errno with *error set and nothing changed --- */
/** What the command line says. */
int habits_set(struct guests *guests, const struct options *options, struct tp_error *error);
/** Which devices are deaf, or slow, from now on: a list as --deaf and --slow have it, or "none". */
int habits_set_deaf(struct guests *guests, const char *text, struct tp_error *error);
int habits_set_slow(struct guests *guests, const char *text, struct tp_error *error);

/* --- load_words.c --- */
/**
 * Set one property of the load.
 * @param what    "fwd", "rate", "arrival", "size" (or "txpkts"), "talk" or "verify"
 * @param text    as the command line has it; rate, arrival and size may have "GROUP=" before it
 * @param guests  whose groups these are; NULL: such a text is only checked, any GROUP is right
 * @return 0, -ENOENT if `what` is another word, -EINVAL with *error set.
 */
int load_set(struct tp_engine_load *load, const struct guests *guests, const char *what,
	const char *text, struct tp_error *error);
bool load_names_group(const char *text);
/** Has a group a rate of its own? */
bool load_has_own_rates(const struct tp_engine_load *load);

/* --- run.c --- */
double now_seconds(void);
/** Start what guest->load says. @return 0, or negative errno with *error set. */
int run_start(struct guest *guest, uint64_t tx_first, struct tp_error *error);
int run_stop(struct guest *guest, struct tp_error *error);
/** One measured run into guest->results: warm-up, the time, and the frames on their way waited
 * for. @param seconds  0: until interrupted */
int run_measured(struct guest *guest, double seconds, bool show, struct tp_error *error);
/** What is known at this moment into guest->results, as both during and after the run. */
void run_look(struct guest *guest);
/** The search for the highest rate without loss. */
int run_search(struct guest *guest, const struct tp_search_goal *goal, double trial_seconds,
	struct tp_search_result *result, struct tp_error *error);

/* --- stats_text.c --- */
void text_port_stats(struct guest *guest, int device); /* -1: all */
void text_progress(struct guest *guest);
void text_forward_stats(struct guest *guest);
void text_run(struct guest *guest);
void text_search(const struct tp_search_goal *goal, const struct tp_search_result *result);
void text_latency(const struct tp_engine_report *report);
void text_config(const struct guest *guest);

/* --- stats_json.c: one line each on standard output --- */
void json_attached(const struct guest *guest, uint64_t elapsed_ns);
void json_run(const struct guest *guest);
void json_search(const struct guest *guest, const struct tp_search_goal *goal,
	const struct tp_search_result *result);
void json_port_stats(struct guest *guest, int device);
void json_config(const struct guest *guest);
void json_latency(const struct tp_engine_report *report);
void json_ok(void);
void json_error(const char *text);

/* --- console.c --- */
/** Commands from standard input until "quit" or its end. @return exit code. */
int console_run(struct guest *guest);
