/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_memory.h>

#include "appliance_private.h"
#include "balance.h"
#include "base/descriptors.h"
#include "base/fault_guard.h"
#include "base/log.h"
#include "billing.h"
#include "budget.h"
#include "crew.h"
#include "ctl/control_socket.h"
#include "ctl/plan.h"
#include "ctl/privilege.h"
#include "figures.h"
#include "memory_limit.h"
#include "underlay.h"
#include "uplinks.h"

/* How long a broken ring, a new MAC or a doorbell may wait for the control plane. */
#define TICK_MS 20

static void on_tick(struct tp_timer *timer)
{
	struct tp_appliance *appliance = tp_container_of(timer, struct tp_appliance, tick);

	tp_learn_sightings(appliance);
	tp_ports_look(appliance);
	tp_kicks_arm(appliance);
	tp_balance_look(appliance);
	tp_uplinks_look(appliance);
	tp_underlays_look(appliance);
	tp_loop_arm(appliance->loop, timer, TICK_MS);
}

static void on_signal(struct tp_watch *watch, uint32_t events)
{
	struct tp_appliance *appliance = tp_container_of(watch, struct tp_appliance, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		tp_apply_file_again(appliance);
		return;
	}
	tp_log(TP_LOG_INFO, "%s: stopping", strsignal((int)info.ssi_signo));
	tp_loop_stop(appliance->loop);
}

static void on_fault(struct tp_watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) == sizeof(count))
		tp_ports_condemn_broken(tp_container_of(watch, struct tp_appliance, faults));
}

static sigset_t handled_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

void tp_appliance_prepare(void)
{
	sigset_t set = handled_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int watch_signals(struct tp_appliance *appliance, struct tp_error *error)
{
	sigset_t set = handled_signals();

	appliance->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	appliance->signals.ready = on_signal;
	if (appliance->signals.fd < 0 ||
		tp_loop_watch(appliance->loop, &appliance->signals, EPOLLIN) < 0)
		return tp_error_set(error, errno, "signals cannot be watched: %s", strerror(errno));
	return 0;
}

static int watch_faults(struct tp_appliance *appliance, struct tp_error *error)
{
	appliance->faults.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	appliance->faults.ready = on_fault;
	if (appliance->faults.fd < 0 ||
		tp_loop_watch(appliance->loop, &appliance->faults, EPOLLIN) < 0 ||
		tp_fault_guard_install(appliance->faults.fd) < 0)
		return tp_error_set(
			error, errno, "memory faults cannot be watched: %s", strerror(errno));
	return 0;
}

#define MORE_DESCRIPTORS "raise it with LimitNOFILE= or ulimit -Hn"

/* Thousands of interfaces need thousands of descriptors: take what the machine lets a process have.
 */
static int raise_descriptor_limit(const struct tp_config *config, struct tp_error *error)
{
	unsigned long long first = tp_plan_first_descriptors(config);
	unsigned long long all = tp_plan_descriptors(config);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	tp_descriptors_keep(TP_PLAN_KEPT_DESCRIPTORS);
	if (limit.rlim_cur < first)
		return tp_error_set(error, EMFILE,
			"descriptors: this configuration needs %llu before any guest comes, this "
			"process may open %llu; " MORE_DESCRIPTORS,
			first, (unsigned long long)limit.rlim_cur);
	if (limit.rlim_cur < all)
		tp_log(TP_LOG_WARNING,
			"descriptors: up to %llu are needed when all guests are there, this "
			"process may open %llu: the last guests will be refused; " MORE_DESCRIPTORS,
			all, (unsigned long long)limit.rlim_cur);
	return 0;
}

/* Where the workers are to run: the lcores beside the main one, in order; and their nodes. */
static int find_lcores(unsigned workers, unsigned *lcores, int *nodes, struct tp_error *error)
{
	unsigned lcore;
	unsigned i = 0;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (i == workers)
			break;
		lcores[i] = lcore;
		nodes[i++] = tp_node_of_cpu(tp_cpu_of_lcore(lcore));
	}
	if (i < workers)
		return tp_error_set(error, EINVAL,
			"the configuration has %u workers, the EAL options give %u lcores beside "
			"the "
			"main one: name more lcores, or leave out -l and --lcores",
			workers, i);
	return 0;
}

static void assign_lcores(struct tp_dataplane *dataplane, const unsigned *lcores)
{
	int control_cpu = tp_cpu_of_lcore(rte_get_main_lcore());

	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		dataplane->worker[i]->lcore = lcores[i];
		dataplane->worker[i]->core = tp_cpu_of_lcore(lcores[i]);
		dataplane->shared_core |= dataplane->worker[i]->core == control_cpu;
	}
	dataplane->shared_core |= sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

/* Each context lies where the worker runs that its tenant begins on. */
static int make_store(
	struct tp_appliance *appliance, const int *worker_nodes, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	uint16_t *pair_counts = calloc(config->interface_count + 1, sizeof(*pair_counts));
	int *nodes = calloc(config->interface_count + 1, sizeof(*nodes));

	if (pair_counts == NULL || nodes == NULL) {
		free(pair_counts);
		free(nodes);
		return tp_error_set(error, ENOMEM, "no memory");
	}
	for (uint32_t i = 0; i < config->interface_count; i++) {
		uint32_t tenant = config->interfaces[i].tenant_index;

		pair_counts[i] = config->interfaces[i].queue_pairs;
		nodes[i] = worker_nodes[tp_config_first_worker(config, tenant)];
	}
	appliance->store = tp_context_store_new(pair_counts, config->interface_count, nodes);
	if (appliance->store == NULL)
		tp_error_set(error, ENOMEM,
			"context store: %zu bytes for %u interfaces are more than the EAL's heap "
			"has; give it more with -m MEGABYTES before --",
			tp_context_store_size(pair_counts, config->interface_count),
			config->interface_count);
	free(pair_counts);
	free(nodes);
	return appliance->store == NULL ? -ENOMEM : 0;
}

static void warn_of_doorbells(const struct tp_dataplane *dataplane)
{
	for (unsigned w = 0; w < dataplane->worker_count; w++)
		if (!dataplane->worker[w]->doorbell.complete)
			tp_log(TP_LOG_WARNING,
				"worker %u: this machine has too few asynchronous requests left "
				"for all kicks to be heard (turnpike plan tells how many); what is "
				"not heard is polled. fs.aio-max-nr (sysctl) raises their number",
				w);
}

static int make_dataplane(struct tp_appliance *appliance, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	unsigned lcores[TP_CONFIG_WORKERS_MAX];
	int nodes[TP_CONFIG_WORKERS_MAX] = {0};
	struct tp_dataplane_settings settings = tp_crew_settings(config, nodes);
	struct tp_snapshot *snapshot;
	int result;

	if (find_lcores(config->worker_count, lcores, nodes, error) < 0)
		return -EINVAL;
	if (make_store(appliance, nodes, error) < 0)
		return -ENOMEM;
	appliance->dataplane = tp_dataplane_new(&settings, error);
	if (appliance->dataplane == NULL)
		return -ENOMEM;
	warn_of_doorbells(appliance->dataplane);
	result = tp_uplinks_open(appliance, nodes, error);
	if (result == 0)
		result = tp_underlays_open(appliance, error);
	if (result < 0)
		return result;
	snapshot = tp_compile(config, appliance->store,
		appliance->uplinks == NULL ? NULL : appliance->uplinks->uplink,
		appliance->underlays, error);
	if (snapshot == NULL)
		return -ENOMEM;
	tp_dataplane_publish_snapshot(appliance->dataplane, snapshot);
	assign_lcores(appliance->dataplane, lcores);
	return 0;
}

static void warn_of_memory_limit(void)
{
	uint64_t limit = tp_memory_limit();

	if (limit != UINT64_MAX)
		tp_log(TP_LOG_WARNING,
			"memory: a cgroup limits this process to %" PRIu64
			" MiB. Memory of guests counts where the switch is the first to touch it, "
			"so that they can make the kernel kill it: lift MemoryMax=",
			limit >> 20);
}

static int build(struct tp_appliance *appliance, struct tp_error *error)
{
	struct tp_control_settings control = {
		.path = appliance->config->control_socket,
		.access = appliance->config->control_sockets.access,
		.handle = tp_answer,
		.owner = appliance,
	};
	int result;

	appliance->loop = tp_loop_new(error);
	if (appliance->loop == NULL)
		return -ENOMEM;
	appliance->tick.expired = on_tick;
	appliance->started_ms = tp_loop_now_ms();
	warn_of_memory_limit();
	result = raise_descriptor_limit(appliance->config, error);
	if (result == 0)
		result = watch_signals(appliance, error);
	if (result == 0)
		result = watch_faults(appliance, error);
	if (result == 0 && tp_balance_open(appliance) < 0)
		result = tp_error_set(error, ENOMEM, "no memory");
	if (result == 0)
		result = make_dataplane(appliance, error);
	/* Devices are the last to need what an ordinary process may not do. */
	if (result == 0)
		result = tp_privilege_drop(appliance->config, rte_eal_get_runtime_dir(), error);
	if (result == 0 && tp_budgets_open(appliance) < 0)
		result = tp_error_set(error, ENOMEM, "no memory");
	if (result == 0)
		result = tp_ports_open(appliance, error);
	if (result == 0) {
		tp_learning_prepare(appliance, appliance->config);
		tp_learning_change(appliance);
	}
	if (result == 0)
		result = tp_billing_open(appliance, error);
	if (result < 0)
		return result;
	appliance->control = tp_control_open(appliance->loop, &control, error);
	if (appliance->control == NULL)
		return -EINVAL;
	tp_telemetry_start(appliance);
	return tp_loop_arm(appliance->loop, &appliance->tick, TICK_MS);
}

struct tp_appliance *tp_appliance_new(
	struct tp_config *config, const char *source, const char *vector, struct tp_error *error)
{
	struct tp_appliance *appliance = calloc(1, sizeof(*appliance));

	if (appliance == NULL) {
		tp_error_set(error, ENOMEM, "no memory");
		tp_config_free(config);
		return NULL;
	}
	appliance->config = config;
	appliance->vector = vector;
	appliance->signals.fd = -1;
	appliance->faults.fd = -1;
	appliance->source = strdup(source);
	appliance->file = strdup(source);
	if (appliance->source == NULL || appliance->file == NULL || tp_carried_open(appliance) < 0)
		tp_error_set(error, ENOMEM, "no memory");
	else if (build(appliance, error) == 0)
		return appliance;
	tp_appliance_free(appliance);
	return NULL;
}

struct tp_dataplane *tp_appliance_dataplane(struct tp_appliance *appliance)
{
	return appliance->dataplane;
}

int tp_appliance_run(
	struct tp_appliance *appliance, const struct tp_worker_ops *ops, struct tp_error *error)
{
	int result;

	appliance->worker_ops = ops;

	tp_log(TP_LOG_INFO,
		"ready: %s, %u interfaces of %u tenants on %u worker%s (%s), control %s",
		appliance->source, appliance->config->interface_count,
		appliance->config->tenant_count, appliance->config->worker_count,
		appliance->config->worker_count == 1 ? "" : "s", appliance->vector,
		appliance->config->control_socket);
	tp_watchdog_ready(appliance);
	result = tp_loop_run(appliance->loop);
	tp_watchdog_stopping(appliance);
	if (result < 0)
		return tp_error_set(error, -result, "event loop: %s", strerror(-result));
	return 0;
}

static void close_watched(struct tp_appliance *appliance, struct tp_watch *watch)
{
	if (watch->fd < 0)
		return;
	if (appliance->loop != NULL)
		tp_loop_unwatch(appliance->loop, watch);
	close(watch->fd);
}

void tp_appliance_free(struct tp_appliance *appliance)
{
	if (appliance == NULL)
		return;
	tp_telemetry_stop();
	tp_billing_close(appliance);
	tp_control_close(appliance->control);
	tp_ports_close(appliance);
	tp_budgets_close(appliance);
	tp_dataplane_free(appliance->dataplane);
	tp_underlays_close(appliance);
	tp_uplinks_close(appliance);
	tp_context_store_free(appliance->store);
	tp_fault_guard_install(-1);
	close_watched(appliance, &appliance->faults);
	close_watched(appliance, &appliance->signals);
	tp_loop_free(appliance->loop);
	tp_config_free(appliance->config);
	tp_balance_close(appliance);
	tp_carried_close(appliance);
	free(appliance->source);
	free(appliance->file);
	free(appliance->previous);
	free(appliance);
}
