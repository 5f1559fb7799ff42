/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/loop.h"
#include "ctl/appliance.h"
#include "ctl/config.h"
#include "state/dataplane.h"
#include "vhost/endpoint.h"

/*
 * What the files of the control plane share. Everything here belongs to the control thread;
 * counters and contexts are the workers' (state/).
 */

/** The doorbell of one source ring. */
struct tp_port_kick {
	int fd;              /* eventfd, the endpoint's; -1: none, or the ring does not run */
	unsigned worker;     /* whose doorbell was armed last */
	unsigned home;       /* who serves the ring, while nobody does for a moment */
	bool attend_again;   /* the doorbell had no room to tell the worker of the ring */
	bool arm_again;      /* nor to be armed */
	uint32_t served;     /* frames of the ring when last looked at; balance.h */
	struct iocb request; /* the kernel's while the doorbell is armed */
};

/** One interface: its configuration, its endpoint, and what its guest made of it. */
struct tp_port {
	struct tp_appliance *appliance;
	const struct tp_config
		*config; /* the appliance's; of a port that is to come the next one */
	uint32_t index;  /* in config->interfaces */
	uint32_t place;  /* in the snapshot, the same as long as the port is there */
	struct tp_vhost_endpoint *endpoint;
	struct tp_context *context;
	struct tp_port_kick *kick; /* one a queue pair */
	unsigned rings_running;
	uint32_t rings_retired; /* bit n: nobody uses ring n any more: it stops without waiting */
	struct tp_log_limit warnings;
	uint64_t announce_due_ms; /* announcements are paid for up to then; announce.c */
	uint32_t learned;         /* MACs learned at it */
	struct tp_unix_peer peer; /* whose process the front-end is; all zero: none is connected */
	uint16_t mtu;             /* as the front-end told it, 0: it did not */
	int memory_node;          /* where most of the guest's memory lies, or TP_NO_NODE */
};

/** Which worker serves whom, and why; balance.h. */
struct tp_tenant_place {
	unsigned worker; /* of all its rings; where it is spread, of those not moved */
	bool spread;     /* several workers serve its rings */
	unsigned calm;   /* looks in a row at which one worker would have been enough */
};

struct tp_worker_place {
	uint64_t busy_ns; /* when last looked at */
	uint64_t frames;  /* between the last two looks */
	char reason[160]; /* of the last change */
};

struct tp_balance {
	struct tp_tenant_place *tenant; /* by index in config->tenants */
	struct tp_worker_place *worker;
	uint64_t looked_ms;
};

struct tp_underlays;
/** What the service manager is told; watchdog.c. */
struct tp_watchdog {
	struct tp_timer timer;
	uint64_t look_ms; /* between two looks; 0: nobody wants to hear */
	uint64_t stalled; /* looks in a row that found some worker where it was */
	uint64_t sweeps[TP_CONFIG_WORKERS_MAX]; /* of each worker, when it was last seen to work */
};

/** What interfaces counted that are gone or have another class since; figures.h. By place. */
struct tp_carried {
	struct tp_counters all;
	struct tp_counters *tenant;
	struct tp_counters *class;
};

struct tp_appliance {
	struct tp_config *config;
	const char *vector;
	char *source;   /* what config came from */
	char *file;     /* given at the start; read again at SIGHUP */
	char *previous; /* the JSON that was in force before config's; NULL: none */
	size_t previous_length;
	uint16_t generation; /* at least that of all rings that are gone */
	struct tp_loop *loop;
	const struct tp_worker_ops *worker_ops;
	struct tp_dataplane *dataplane;
	struct tp_context_store *store;
	struct tp_uplinks_control *uplinks; /* uplinks.h; NULL: there is none */
	struct tp_underlays *underlays;     /* underlay.h; NULL: there is no uplink */
	struct tp_port **ports;             /* one an interface of config */
	struct tp_port **at_place;          /* the same by place; NULL: there is none */
	uint32_t places;                    /* of at_place */
	struct tp_carried carried;
	uint64_t broken; /* rings that workers had found broken when last looked at */
	bool kick_again; /* some doorbell had no room for something */
	struct tp_balance balance;
	struct tp_budgets *budgets; /* budget.h; NULL: no tenant has one */
	struct tp_ledger *ledger;   /* billing.h */
	/* learning.c */
	uint32_t learned_by_tenant[TP_CONFIG_TENANTS_MAX]; /* by place */
	uint32_t learned_beyond[TP_CONFIG_TENANTS_MAX];    /* of these, behind its uplink */
	/* of config, and while another takes force of that one; by place, NULL: there is none */
	const struct tp_tenant_config *tenant_at[TP_CONFIG_TENANTS_MAX];
	uint32_t learned_looked_at; /* where the search for silent ones goes on */
	struct tp_timer tick;       /* looks for broken rings, sightings and bells to arm */
	struct tp_watch signals;    /* SIGINT, SIGTERM */
	struct tp_watch faults;     /* the fault guard replaced a mapping */
	struct tp_control_socket *control;
	struct tp_watchdog watchdog;
	uint64_t started_ms;
};

/** The port at a place of the snapshot. @return NULL: there is none. */
static inline struct tp_port *tp_port_at(const struct tp_appliance *appliance, uint32_t place)
{
	return place < appliance->places ? appliance->at_place[place] : NULL;
}

/* compile.c */

/** Most MACs that a configuration allows to be learned in all. */
uint32_t tp_learned_limit(const struct tp_config *config);

/** How many places a configuration's snapshot has: one more than the last that is taken. */
struct tp_places {
	uint32_t classes;
	uint32_t tenants;
	uint32_t interfaces;
};

struct tp_places tp_count_places(const struct tp_config *config);

/** Compile a configuration; each of it to its place. @param uplinks, underlays  one each of
 * config->uplinks.
 * @return a sealed snapshot, or NULL with *error set. */
struct tp_snapshot *tp_compile(const struct tp_config *config, const struct tp_context_store *store,
	struct tp_uplink *const *uplinks, struct tp_underlays *underlays, struct tp_error *error);

/* ports.c */

/**
 * Make the port of an interface and open its endpoint. Its context is there. Nobody knows it yet.
 * @param tenant    where its tenant is served
 * @param succeeds  its socket's path belongs to a port that will be closed (tp_vhost_take_over)
 * @return the port, or NULL with *error set.
 */
struct tp_port *tp_port_open(struct tp_appliance *appliance, const struct tp_config *config,
	uint32_t index, const struct tp_tenant_place *tenant, bool succeeds,
	struct tp_error *error);

/** Close its endpoint and free it. NULL is allowed. */
void tp_port_close(struct tp_port *port);

/** Open the ports of all interfaces. @return 0, or negative errno with *error set. */
int tp_ports_open(struct tp_appliance *appliance, struct tp_error *error);

/** Close them, in reverse order. */
void tp_ports_close(struct tp_appliance *appliance);

/** End the connections whose rings a worker found broken, or whose memory file shrank. */
void tp_ports_condemn_broken(struct tp_appliance *appliance);

/** The same, if a worker has found a ring broken since the last call: quiet ports cost nothing. */
void tp_ports_look(struct tp_appliance *appliance);

/* kicks.c */

/** A source ring, which no worker holds, is about to start: what it was marked as is forgotten. */
void tp_kick_prepare(struct tp_port *port, uint32_t pair);

/** A source ring has started: have its worker serve it, and its guest's kicks heard. */
void tp_kick_start(struct tp_port *port, uint32_t pair, int kick_fd);

/** It has stopped and no worker holds it any more: kicks are not heard from now on. */
void tp_kick_stop(struct tp_port *port, uint32_t pair);

/** No worker holds the ring, and none hears of it from now on, but it has not stopped. */
void tp_kick_unhear(struct tp_port *port, uint32_t pair);

/** Have its worker look at a source ring that has started. */
void tp_kick_attend(struct tp_port *port, uint32_t pair);

/** Arm the doorbells that workers want armed, and tell them what they could not be told before. */
void tp_kicks_arm(struct tp_appliance *appliance);

/* announce.c */

/** A front-end asks to announce its guest by this MAC. @param port  struct tp_port */
void tp_announce_guest(void *port, const uint8_t mac[6]);

/** The guest is gone: what was not announced yet will not be. */
void tp_forget_announcement(struct tp_port *port);

/* learning.c */

/** Learn what the workers have sighted, within the limits. */
void tp_learn_sightings(struct tp_appliance *appliance);

/**
 * A configuration will take force, and nothing is learned before: what was learned behind an uplink
 * or a tunnel that the tenant will not have is forgotten. A worker that finds it under the next
 * snapshot would follow it to a tunnel that is not there.
 */
void tp_learning_prepare(struct tp_appliance *appliance, const struct tp_config *config);

/** It is in force, no worker knows another: it may have other limits, and what was sighted under
 * the one before is not believed. */
void tp_learning_change(struct tp_appliance *appliance);

/** Forget what was learned at an interface whose guest is gone, or that learns no more. */
void tp_forget_learned(struct tp_port *port);

/** Answer the command `flush`: forget the learned MACs of all, of a "tenant": NAME, or of an
 * "interface": NAME of it. As tp_answer. */
json_t *tp_answer_flush(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);

/* show.c */

/** What `show` tells of something. @return a new reference, or NULL with *error set. */
json_t *tp_show(const struct tp_appliance *appliance, const char *what, struct tp_error *error);

/* answer.c */

/** Find whom a command names. @return 0, or -EINVAL with *error set. */
int tp_find_tenant(const struct tp_appliance *appliance, const char *command, const json_t *name,
	uint32_t *tenant, struct tp_error *error);

/** The same for an interface of a tenant. @return its port, or NULL with *error set. */
struct tp_port *tp_find_port(struct tp_appliance *appliance, const char *command, uint32_t tenant,
	const json_t *name, struct tp_error *error);

/** Answer a command of the control socket. @return a new reference, or NULL with *error set. */
json_t *tp_answer(
	void *appliance, const char *command, const json_t *request, struct tp_error *error);

/* answer_config.c */

/**
 * Answer the commands that change the configuration or give it back:
 *   {"command":"apply","text":JSON AS A STRING,"name":FILE}, or "config":OBJECT instead of "text"
 *   {"command":"edit","edits":[...]}, see edit.h
 *   {"command":"rollback"}
 *   all three perhaps with "dry_run":true
 *   {"command":"save"}  ->  {"text":JSON AS A STRING}
 * As tp_answer.
 */
json_t *tp_answer_apply(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);
json_t *tp_answer_edit(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);
json_t *tp_answer_rollback(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);
json_t *tp_answer_save(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);

/** Apply the file given at the start, as it is now; the log tells what came of it. */
void tp_apply_file_again(struct tp_appliance *appliance);

/* move.c */

/** Answer the command `move`: {"tenant": NAME, "worker": N}, and perhaps "interface": NAME,
 * "queue_pair": N. As tp_answer. */
json_t *tp_answer_move(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);

/* show_macs.c */

/** Where each MAC leads. */
json_t *tp_show_macs(const struct tp_appliance *appliance);

/* show_latency.c */

/** The times of frames by class, of polls of pinned rings and of sweeps by worker. */
json_t *tp_show_latency(const struct tp_appliance *appliance);

/* show_uplinks.c */

/** Devices, links and counters of the uplinks. */
json_t *tp_show_uplinks(const struct tp_appliance *appliance);

/* watchdog.c */

/** Tell the service manager that guests can come, and from now on that the workers work. */
void tp_watchdog_ready(struct tp_appliance *appliance);

/** Tell it that the appliance ends. */
void tp_watchdog_stopping(struct tp_appliance *appliance);

/* telemetry.c */

/** Register the telemetry commands; they serve the appliance until tp_telemetry_stop. */
void tp_telemetry_start(struct tp_appliance *appliance);
void tp_telemetry_stop(void);

/** Hold telemetry off, for less than it takes anybody to notice, while the configuration changes;
 * and let it go on. */
void tp_telemetry_hold(void);
void tp_telemetry_go_on(void);
