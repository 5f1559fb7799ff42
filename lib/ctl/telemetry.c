/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "budget.h"
#include "figures.h"
#include "uplinks.h"

/*
 * The same figures for DPDK's telemetry socket (dpdk-telemetry.py). Its callbacks run in a thread
 * of their own and cannot be unregistered, so they take the appliance under a lock, which also
 * holds them off while the configuration and the ports change.
 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tp_appliance *served; /* under lock */

static void add_counters(struct rte_tel_data *data, const struct tp_counters *sum)
{
	for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
		rte_tel_data_add_dict_u64(data, tp_counter_name(i), sum->value[i]);
	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		rte_tel_data_add_dict_u64(data, tp_drop_name(i), sum->drop[i]);
	rte_tel_data_add_dict_u64(data, "bill_sixteenths", sum->bill);
}

static void interface_name(
	const struct tp_appliance *appliance, uint32_t index, char *name, size_t size)
{
	const struct tp_interface_config *config = &appliance->config->interfaces[index];

	snprintf(name, size, "%s/%s", appliance->config->tenants[config->tenant_index].name,
		config->name);
}

static void add_budget(struct rte_tel_data *data, uint32_t tenant)
{
	const struct tp_budget *budget = tp_budget_of(served, tenant);

	if (budget == NULL)
		return;
	rte_tel_data_add_dict_u64(data, "out_of_credit",
		__atomic_load_n(
			&served->dataplane->out_of_credit[served->config->tenants[tenant].place],
			__ATOMIC_RELAXED));
	rte_tel_data_add_dict_u64(data, "demotions", tp_counter_read(&budget->demotions));
}

/* What may be asked for: its command, how many there are, its n-th name, its sum, what else. */
struct subject {
	const char *list;
	const char *one;
	uint32_t (*count)(const struct tp_appliance *appliance);
	void (*name)(const struct tp_appliance *appliance, uint32_t index, char *name, size_t size);
	void (*sum)(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t index);
	void (*more)(struct rte_tel_data *data, uint32_t index); /* or NULL */
};

static uint32_t interface_count(const struct tp_appliance *appliance)
{
	return appliance->config->interface_count;
}

static void interface_sum(
	struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t index)
{
	tp_sum_interface(sum, appliance->ports[index]);
}

static uint32_t tenant_count(const struct tp_appliance *appliance)
{
	return appliance->config->tenant_count;
}

static void tenant_name(
	const struct tp_appliance *appliance, uint32_t index, char *name, size_t size)
{
	snprintf(name, size, "%s", appliance->config->tenants[index].name);
}

static uint32_t class_count(const struct tp_appliance *appliance)
{
	return appliance->config->class_count;
}

static void class_name(
	const struct tp_appliance *appliance, uint32_t index, char *name, size_t size)
{
	snprintf(name, size, "%s", appliance->config->classes[index].name);
}

static const struct subject subjects[] = {
	{"/turnpike/interfaces", "/turnpike/interface", interface_count, interface_name,
		interface_sum, NULL},
	{"/turnpike/tenants", "/turnpike/tenant", tenant_count, tenant_name, tp_sum_tenant,
		add_budget},
	{"/turnpike/classes", "/turnpike/class", class_count, class_name, tp_sum_class, NULL},
};

static const struct subject *find_subject(const char *command)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (strcmp(command, subjects[i].list) == 0 || strcmp(command, subjects[i].one) == 0)
			return &subjects[i];
	return NULL;
}

static int list_names(const struct subject *subject, struct rte_tel_data *data)
{
	char name[80];

	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (uint32_t i = 0; i < subject->count(served); i++) {
		subject->name(served, i, name, sizeof(name));
		if (rte_tel_data_add_array_string(data, name) < 0)
			break; /* telemetry answers have a limit of their own */
	}
	return 0;
}

static int one_sum(const struct subject *subject, const char *wanted, struct rte_tel_data *data)
{
	char name[80];

	for (uint32_t i = 0; i < subject->count(served); i++) {
		struct tp_counters sum = {0};

		subject->name(served, i, name, sizeof(name));
		if (wanted == NULL || strcmp(name, wanted) != 0)
			continue;
		subject->sum(&sum, served, i);
		rte_tel_data_start_dict(data);
		add_counters(data, &sum);
		if (subject->more != NULL)
			subject->more(data, i);
		return 0;
	}
	return -1;
}

static int on_subject(const char *command, const char *parameters, struct rte_tel_data *data)
{
	const struct subject *subject = find_subject(command);
	int result = -1;

	pthread_mutex_lock(&lock);
	if (served != NULL && subject != NULL)
		result = strcmp(command, subject->list) == 0 ? list_names(subject, data)
							     : one_sum(subject, parameters, data);
	pthread_mutex_unlock(&lock);
	return result;
}

static int on_drops(const char *command, const char *parameters, struct rte_tel_data *data)
{
	struct tp_counters sum = {0};
	int result = -1;

	(void)command;
	(void)parameters;
	pthread_mutex_lock(&lock);
	if (served != NULL) {
		tp_sum_all(&sum, served);
		rte_tel_data_start_dict(data);
		for (unsigned i = 1; i < TP_DROP_COUNT; i++)
			rte_tel_data_add_dict_u64(data, tp_drop_name(i), sum.drop[i]);
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static void add_worker(struct rte_tel_data *data, unsigned w)
{
	const struct tp_worker_share *share = served->dataplane->worker[w];
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{"core", (uint64_t)share->core},
		{"sweeps", tp_counter_read(&share->sweeps)},
		{"busy_sweeps", tp_counter_read(&share->busy_sweeps)},
		{"busy_ns", tp_busy_ns(share)},
		{"frames", tp_counter_read(&share->frames)},
		{"hot", tp_counter_read(&share->hot)},
		{"sleeps", tp_counter_read(&share->sleeps)},
	};

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		char name[40];

		snprintf(name, sizeof(name), "worker%u_%s", w, figures[i].name);
		rte_tel_data_add_dict_u64(data, name, figures[i].value);
	}
}

static int on_workers(const char *command, const char *parameters, struct rte_tel_data *data)
{
	int result = -1;

	(void)command;
	(void)parameters;
	pthread_mutex_lock(&lock);
	if (served != NULL) {
		rte_tel_data_start_dict(data);
		for (unsigned w = 0; w < served->dataplane->worker_count; w++)
			add_worker(data, w);
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static int on_cache(const char *command, const char *parameters, struct rte_tel_data *data)
{
	int result = -1;

	(void)command;
	(void)parameters;
	pthread_mutex_lock(&lock);
	if (served != NULL) {
		struct tp_cache_counters sum = {0};

		for (uint32_t c = 0; c < served->config->class_count; c++)
			tp_sum_cache(&sum, served, c);
		rte_tel_data_start_dict(data);
#define X(name, help) rte_tel_data_add_dict_u64(data, #name, sum.name);
		TP_CACHE_COUNTERS(X)
#undef X
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static void add_times(struct rte_tel_data *data, const struct tp_times *sum)
{
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "frames", tp_times_count(sum));
	rte_tel_data_add_dict_u64(data, "p50_ns", tp_times_ns(sum, 0.5));
	rte_tel_data_add_dict_u64(data, "p90_ns", tp_times_ns(sum, 0.9));
	rte_tel_data_add_dict_u64(data, "p99_ns", tp_times_ns(sum, 0.99));
	rte_tel_data_add_dict_u64(data, "p999_ns", tp_times_ns(sum, 0.999));
	rte_tel_data_add_dict_u64(data, "most_ns", tp_times_ns(sum, 1));
}

static void add_uplink(struct rte_tel_data *data, const struct tp_uplink_port *port)
{
	struct tp_uplink_sum sum = {0};

	tp_sum_uplink(&sum, port->uplink);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "link_up",
		atomic_load_explicit(&port->uplink->link_up, memory_order_relaxed));
	for (unsigned i = 0; i < TP_UPLINK_FIGURES; i++)
		rte_tel_data_add_dict_u64(
			data, tp_uplink_figure_name(i), tp_uplink_figure(&sum, i));
	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		rte_tel_data_add_dict_u64(data, tp_drop_name(i), sum.received.drop[i]);
}

static int on_uplink(const char *command, const char *parameters, struct rte_tel_data *data)
{
	bool list = strcmp(command, "/turnpike/uplinks") == 0;
	int result = list ? 0 : -1;

	pthread_mutex_lock(&lock);
	if (list)
		rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (uint32_t i = 0; served != NULL && i < served->config->uplink_count; i++) {
		const struct tp_uplink_port *port = &served->uplinks->port[i];

		if (list)
			rte_tel_data_add_array_string(data, port->config->name);
		if (list || parameters == NULL || strcmp(port->config->name, parameters) != 0)
			continue;
		add_uplink(data, port);
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static int on_latency(const char *command, const char *parameters, struct rte_tel_data *data)
{
	int result = -1;

	(void)command;
	pthread_mutex_lock(&lock);
	for (uint32_t c = 0; served != NULL && c < served->config->class_count; c++) {
		struct tp_times sum = {0};

		if (parameters == NULL || strcmp(served->config->classes[c].name, parameters) != 0)
			continue;
		tp_sum_latency(&sum, served, c);
		add_times(data, &sum);
		result = 0;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static void register_commands(void)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		rte_telemetry_register_cmd(subjects[i].list, on_subject, "Names. No parameters");
		rte_telemetry_register_cmd(
			subjects[i].one, on_subject, "Counters and drops. Parameter: a name");
	}
	rte_telemetry_register_cmd("/turnpike/uplinks", on_uplink, "Names. No parameters");
	rte_telemetry_register_cmd("/turnpike/uplink", on_uplink,
		"Counters and drops of an uplink. Parameter: its name");
	rte_telemetry_register_cmd(
		"/turnpike/drops", on_drops, "Dropped frames by reason. No parameters");
	rte_telemetry_register_cmd(
		"/turnpike/workers", on_workers, "Figures of all workers. No parameters");
	rte_telemetry_register_cmd("/turnpike/latency", on_latency,
		"How long the frames of a class took. Parameter: its name");
	rte_telemetry_register_cmd("/turnpike/cache", on_cache,
		"Hits, misses, loads of the hot-context caches. No parameters");
}

void tp_telemetry_start(struct tp_appliance *appliance)
{
	static bool registered;

	pthread_mutex_lock(&lock);
	served = appliance;
	pthread_mutex_unlock(&lock);
	if (!registered)
		register_commands();
	registered = true;
}

void tp_telemetry_hold(void)
{
	pthread_mutex_lock(&lock);
}

void tp_telemetry_go_on(void)
{
	pthread_mutex_unlock(&lock);
}

void tp_telemetry_stop(void)
{
	pthread_mutex_lock(&lock);
	served = NULL;
	pthread_mutex_unlock(&lock);
}
