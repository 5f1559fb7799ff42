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

/** One interface: its configuration, its endpoint, and what its guest made of it. */
struct tp_port {
	struct tp_appliance *appliance;
	uint32_t index; /* in config->interfaces and in the snapshot */
	struct tp_vhost_endpoint *endpoint;
	struct tp_context *context;
	unsigned rings_running;
	struct tp_log_limit announcements;
	uint32_t learned; /* MACs learned at it */
	int peer_pid;     /* process of the front-end, 0: none connected */
	uint16_t mtu;     /* as the front-end told it, 0: it did not */
};

struct tp_appliance {
	struct tp_config *config;
	const char *vector;
	char *source; /* the file that config came from */
	struct tp_loop *loop;
	struct tp_dataplane *dataplane;
	struct tp_context_store *store;
	struct tp_port *ports; /* one an interface of config */
	bool *polls_dirty;     /* a worker: its poll list is out of date */
	struct tp_timer
		polls_timer;     /* rebuilds dirty poll lists once this round of events is done */
	struct tp_timer tick;    /* looks for broken rings and sightings */
	struct tp_watch signals; /* SIGINT, SIGTERM */
	struct tp_watch faults;  /* the fault guard replaced a mapping */
	struct tp_control_socket *control;
	uint64_t started_ms;
};

/* compile.c */

/** Most MACs that a configuration allows to be learned in all. */
uint32_t tp_learned_limit(const struct tp_config *config);

/** The worker that serves a tenant. All its interfaces have the same, so each ring has one writer.
 */
unsigned tp_tenant_worker(const struct tp_config *config, uint32_t tenant);

/** Compile a configuration. @return a sealed snapshot, or NULL with *error set. */
struct tp_snapshot *tp_compile(const struct tp_config *config, const struct tp_context_store *store,
	struct tp_error *error);

/* ports.c */

/** Open the endpoints of all interfaces. @return 0, or negative errno with *error set. */
int tp_ports_open(struct tp_appliance *appliance, struct tp_error *error);

/** Close them, in reverse order. */
void tp_ports_close(struct tp_appliance *appliance);

/** End the connections whose rings a worker found broken, or whose memory file shrank. */
void tp_ports_condemn_broken(struct tp_appliance *appliance);

/** Rebuild the poll lists that are out of date. */
void tp_ports_publish_polls(struct tp_appliance *appliance);

/* learning.c */

/** Learn what the workers have sighted, within the limits. */
void tp_learn_sightings(struct tp_appliance *appliance);

/** Forget what was learned at an interface whose guest is gone. */
void tp_forget_learned(struct tp_appliance *appliance, uint32_t interface);

/* show.c */

/** Answer a command of the control socket. @return a new reference, or NULL with *error set. */
json_t *tp_answer(
	void *appliance, const char *command, const json_t *request, struct tp_error *error);

/* telemetry.c */

/** Register the telemetry commands; they serve the appliance until tp_telemetry_stop. */
void tp_telemetry_start(struct tp_appliance *appliance);
void tp_telemetry_stop(void);
