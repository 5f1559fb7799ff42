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

/* Learned MACs: bounded for each interface, so that one guest cannot fill the table. */
#define TP_LEARNED_PER_INTERFACE 64
#define TP_LEARNED_PER_NETWORK   1024 /* of a tenant, behind its uplink */

/** The doorbell of one source ring. */
struct tp_port_kick {
	int fd;              /* eventfd, the endpoint's; -1: none, or the ring does not run */
	unsigned worker;     /* whose doorbell was armed last */
	bool attend_again;   /* the doorbell had no room to tell the worker of the ring */
	bool arm_again;      /* nor to be armed */
	uint32_t served;     /* frames of the ring when last looked at; balance.h */
	struct iocb request; /* the kernel's while the doorbell is armed */
};

/** One interface: its configuration, its endpoint, and what its guest made of it. */
struct tp_port {
	struct tp_appliance *appliance;
	uint32_t index; /* in config->interfaces and in the snapshot */
	struct tp_vhost_endpoint *endpoint;
	struct tp_context *context;
	struct tp_port_kick *kick; /* one a queue pair */
	unsigned rings_running;
	struct tp_log_limit announcements;
	uint32_t learned; /* MACs learned at it */
	int peer_pid;     /* process of the front-end, 0: none connected */
	uint16_t mtu;     /* as the front-end told it, 0: it did not */
	int memory_node;  /* where most of the guest's memory lies, or TP_NO_NODE */
};

/** Which worker serves whom, and why; balance.h. */
struct tp_balance {
	struct tp_tenant_place {
		unsigned worker; /* of all its rings; where it is spread, of those not moved */
		bool spread;     /* several workers serve its rings */
		unsigned calm;   /* looks in a row at which one worker would have been enough */
	} * tenant;
	struct tp_worker_place {
		uint64_t busy_ns; /* when last looked at */
		uint64_t frames;  /* between the last two looks */
		char reason[160]; /* of the last change */
	} * worker;
	uint64_t looked_ms;
};

struct tp_underlays;

struct tp_appliance {
	struct tp_config *config;
	const char *vector;
	char *source; /* the file that config came from */
	struct tp_loop *loop;
	struct tp_dataplane *dataplane;
	struct tp_context_store *store;
	struct tp_uplinks_control *uplinks; /* uplinks.h; NULL: there is none */
	struct tp_underlays *underlays;     /* underlay.h; NULL: there is no uplink */
	struct tp_port *ports;              /* one an interface of config */
	struct tp_port_kick *kicks;         /* of all ports */
	uint64_t broken; /* rings that workers had found broken when last looked at */
	bool kick_again; /* some doorbell had no room for something */
	struct tp_balance balance;
	struct tp_budgets *budgets; /* budget.h; NULL: no tenant has one */
	struct tp_ledger *ledger;   /* billing.h */
	struct tp_timer tick;       /* looks for broken rings, sightings and bells to arm */
	struct tp_watch signals;    /* SIGINT, SIGTERM */
	struct tp_watch faults;     /* the fault guard replaced a mapping */
	struct tp_control_socket *control;
	uint64_t started_ms;
};

/* compile.c */

/** Most MACs that a configuration allows to be learned in all. */
uint32_t tp_learned_limit(const struct tp_config *config);

/** Compile a configuration. @param uplinks, underlays  one each of config->uplinks; NULL: it has
 * none.
 * @return a sealed snapshot, or NULL with *error set. */
struct tp_snapshot *tp_compile(const struct tp_config *config, const struct tp_context_store *store,
	struct tp_uplink *const *uplinks, struct tp_underlays *underlays, struct tp_error *error);

/* ports.c */

/** Open the endpoints of all interfaces. @return 0, or negative errno with *error set. */
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

/** Arm the doorbells that workers want armed, and tell them what they could not be told before. */
void tp_kicks_arm(struct tp_appliance *appliance);

/* learning.c */

/** Learn what the workers have sighted, within the limits. */
void tp_learn_sightings(struct tp_appliance *appliance);

/** Forget what was learned at an interface whose guest is gone. */
void tp_forget_learned(struct tp_appliance *appliance, uint32_t interface);

/* show.c */

/** What `show` tells of something. @return a new reference, or NULL with *error set. */
json_t *tp_show(const struct tp_appliance *appliance, const char *what, struct tp_error *error);

/* answer.c */

/** Answer a command of the control socket. @return a new reference, or NULL with *error set. */
json_t *tp_answer(
	void *appliance, const char *command, const json_t *request, struct tp_error *error);

/* move.c */

/** Answer the command `move`: {"tenant": NAME, "worker": N}, and perhaps "interface": NAME,
 * "queue_pair": N. As tp_answer. */
json_t *tp_answer_move(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);

/* show_latency.c */

/** The times of frames by class, of polls of pinned rings and of sweeps by worker. */
json_t *tp_show_latency(const struct tp_appliance *appliance);

/* show_uplinks.c */

/** Devices, links and counters of the uplinks. */
json_t *tp_show_uplinks(const struct tp_appliance *appliance);

/* telemetry.c */

/** Register the telemetry commands; they serve the appliance until tp_telemetry_stop. */
void tp_telemetry_start(struct tp_appliance *appliance);
void tp_telemetry_stop(void);
