/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "appliance_private.h"

/*
 * Sums over counters, for `show` and telemetry alike. Counters are read while workers write them:
 * each figure is right for some moment, their sum need not be for the same one.
 */

/**
 * Begin to keep what interfaces counted that are gone, or that were of another class then: sums of
 * tenants and of all never fall when the configuration changes, and a class has what its interfaces
 * counted while they were of it.
 * @return 0, or -ENOMEM. Threading of these six: control, telemetry being held off.
 */
int tp_carried_open(struct tp_appliance *appliance);
void tp_carried_close(struct tp_appliance *appliance);

/** An interface goes from one class to another; these are places. */
void tp_carry_class(
	struct tp_appliance *appliance, const struct tp_port *port, uint32_t from, uint32_t to);

/** An interface goes; its tenant and class are places. */
void tp_carry_gone(struct tp_appliance *appliance, const struct tp_port *port, uint32_t tenant,
	uint32_t class);

/** A place is another one's from now on. */
void tp_carried_clear_class(struct tp_appliance *appliance, uint32_t place);
void tp_carried_clear_tenant(struct tp_appliance *appliance, uint32_t place);

/** Add the counters of one interface to a sum. */
void tp_sum_interface(struct tp_counters *sum, const struct tp_port *port);

/** Add those of all interfaces of a tenant, of a class, or of the appliance, gone ones among them;
 * these are indices in the configuration, as below. */
void tp_sum_tenant(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t tenant);
void tp_sum_class(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t class);
void tp_sum_all(struct tp_counters *sum, const struct tp_appliance *appliance);

/** All drops of a sum. */
uint64_t tp_total_drops(const struct tp_counters *sum);

/** Nanoseconds in which a worker had frames. */
uint64_t tp_busy_ns(const struct tp_worker_share *share);

/** What the hot-context caches of all workers count for a class. */
void tp_sum_cache(
	struct tp_cache_counters *sum, const struct tp_appliance *appliance, uint32_t class);

/** Add the times that the frames of a class took, on all workers, to a sum. */
void tp_sum_latency(struct tp_times *sum, const struct tp_appliance *appliance, uint32_t class);

/** Add what a worker has counted to a sum. */
void tp_times_sum(struct tp_times *sum, const struct tp_times *times);

/** How many times a sum has. */
uint64_t tp_times_count(const struct tp_times *sum);

/** Nanoseconds that `share` (0..1) of all are not above; of 1 the longest. @return 0 if there are
 * none. */
uint64_t tp_times_ns(const struct tp_times *sum, double share);

/** Where a bucket of tp_times begins, in nanoseconds. */
uint64_t tp_times_bucket_ns(unsigned bucket);

/** What an uplink's queues have counted: frames of the wire, and frames for it. */
struct tp_uplink_sum {
	struct tp_counters received;
	struct tp_uplink_sent sent;
	uint64_t accepted; /* for the wire */
	uint64_t waiting;  /* of these, neither sent nor lost */
};

/** Add the counters of all queues of an uplink to a sum. */
void tp_sum_uplink(struct tp_uplink_sum *sum, const struct tp_uplink *uplink);

/** What is told of an uplink beside its drops of received frames: the n-th figure and its name. */
#define TP_UPLINK_FIGURES 13
const char *tp_uplink_figure_name(unsigned n);
uint64_t tp_uplink_figure(const struct tp_uplink_sum *sum, unsigned n);
