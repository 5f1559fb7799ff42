/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The appliance as a process: started with a configuration of the test's in a directory of its own,
 * asked for its figures over its control socket, ended by its id. A failure ends the cmocka test.
 */

struct appliance {
	char directory[32]; /* holds configuration, sockets, log; "" when there is none */
	pid_t process;      /* 0: does not run */
};

/** The program to start. Once, before all tests. */
void appliance_program(const char *path);

/**
 * Write a configuration with the classes "gold" (holds for 100 us) and "drop" (does not hold).
 * In both texts "@" stands for the appliance's directory, and ' for ".
 * @param dataplane  members of "dataplane" beside the control socket; NULL: none
 * @param tenants    members of "tenants"
 */
void appliance_configure(struct appliance *appliance, const char *dataplane, const char *tenants);

/** Start it and wait until it answers. */
void appliance_start(struct appliance *appliance);

/**
 * Start a second one with the same configuration, which should refuse to run.
 * @param control  another control socket than the configuration's is used
 * @param output   what it wrote
 * @return its exit code.
 */
int appliance_start_second(
	struct appliance *appliance, bool other_control, char *output, size_t size);

/** End it with SIGTERM: it must end well and leave no socket. The directory goes, too. */
void appliance_stop(struct appliance *appliance);

/** End it with SIGKILL; the directory stays as it was left. */
void appliance_kill(struct appliance *appliance);

/** For teardown: end and remove what is still there, without any check. */
void appliance_discard(struct appliance *appliance);

/** Ask for a table. @return a new reference. */
json_t *appliance_show(const struct appliance *appliance, const char *what);

/** Send a request, an object as text. @return the result, a new reference; fails without one. */
json_t *appliance_ask(const struct appliance *appliance, const char *request);

/** A counter or drop of an interface, e.g. ("acme/vm1", "source_mac"). */
uint64_t appliance_counter(
	const struct appliance *appliance, const char *interface, const char *counter);

/** A text or number that `show` tells of an interface: "state", "reason". Valid until next call. */
const char *appliance_text(
	const struct appliance *appliance, const char *interface, const char *key);

/** Wait until a text of an interface contains what is expected, 5 s at most. */
void appliance_wait_text(const struct appliance *appliance, const char *interface, const char *key,
	const char *expected);

/** Wait until a counter of an interface has reached a value, 5 s at most. */
void appliance_wait_counter(const struct appliance *appliance, const char *interface,
	const char *counter, uint64_t value);

/**
 * Do the sums agree? For every interface tx_frames = delivered + drops; in all, received =
 * delivered
 * - flooded + copies; `show drops` and `show tenants` tell the same as the interfaces.
 * Waits first until nothing moves.
 */
void appliance_expect_balance(const struct appliance *appliance);

/** Open descriptors of the process, and its memory mappings. */
unsigned appliance_descriptors(const struct appliance *appliance);
unsigned appliance_mappings(const struct appliance *appliance);
