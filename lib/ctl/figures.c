/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "figures.h"
#include "state/cycles.h"

static void add(struct tp_counters *sum, const struct tp_counters *counters)
{
	for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
		sum->value[i] += tp_counter_read(&counters->value[i]);
	for (unsigned i = 0; i < TP_DROP_COUNT; i++)
		sum->drop[i] += tp_counter_read(&counters->drop[i]);
	sum->bill += tp_counter_read(&counters->bill);
}

/* Unsigned, so that what is taken off before it is there comes out right. */
static void take_off(struct tp_counters *sum, const struct tp_counters *counters)
{
	for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
		sum->value[i] -= counters->value[i];
	for (unsigned i = 0; i < TP_DROP_COUNT; i++)
		sum->drop[i] -= counters->drop[i];
	sum->bill -= counters->bill;
}

int tp_carried_open(struct tp_appliance *appliance)
{
	struct tp_carried *carried = &appliance->carried;

	carried->tenant = calloc(TP_CONFIG_TENANTS_MAX, sizeof(carried->tenant[0]));
	carried->class = calloc(TP_CLASSES_MAX, sizeof(carried->class[0]));
	return carried->tenant == NULL || carried->class == NULL ? -ENOMEM : 0;
}

void tp_carried_close(struct tp_appliance *appliance)
{
	free(appliance->carried.tenant);
	free(appliance->carried.class);
}

void tp_carry_class(
	struct tp_appliance *appliance, const struct tp_port *port, uint32_t from, uint32_t to)
{
	struct tp_counters sum = {0};

	tp_sum_interface(&sum, port);
	add(&appliance->carried.class[from], &sum);
	take_off(&appliance->carried.class[to], &sum);
}

void tp_carry_gone(
	struct tp_appliance *appliance, const struct tp_port *port, uint32_t tenant, uint32_t class)
{
	struct tp_counters sum = {0};

	tp_sum_interface(&sum, port);
	add(&appliance->carried.class[class], &sum);
	add(&appliance->carried.tenant[tenant], &sum);
	add(&appliance->carried.all, &sum);
}

void tp_carried_clear_class(struct tp_appliance *appliance, uint32_t place)
{
	appliance->carried.class[place] = (struct tp_counters){0};
}

void tp_carried_clear_tenant(struct tp_appliance *appliance, uint32_t place)
{
	appliance->carried.tenant[place] = (struct tp_counters){0};
}

void tp_sum_interface(struct tp_counters *sum, const struct tp_port *port)
{
	add(sum, &port->context->counters);
}

void tp_sum_tenant(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t tenant)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];

	add(sum, &appliance->carried.tenant[config->place]);
	for (uint32_t i = 0; i < config->interface_count; i++)
		tp_sum_interface(sum, appliance->ports[config->first_interface + i]);
}

void tp_sum_class(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t class)
{
	add(sum, &appliance->carried.class[appliance->config->classes[class].place]);
	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		if (appliance->config->interfaces[i].class_index == class)
			tp_sum_interface(sum, appliance->ports[i]);
}

void tp_sum_all(struct tp_counters *sum, const struct tp_appliance *appliance)
{
	add(sum, &appliance->carried.all);
	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		tp_sum_interface(sum, appliance->ports[i]);
}

uint64_t tp_total_drops(const struct tp_counters *sum)
{
	uint64_t total = 0;

	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		total += sum->drop[i];
	return total;
}

uint64_t tp_busy_ns(const struct tp_worker_share *share)
{
	return tp_ns_of_cycles(tp_counter_read(&share->busy_cycles));
}

void tp_sum_cache(
	struct tp_cache_counters *sum, const struct tp_appliance *appliance, uint32_t class)
{
	uint32_t place = appliance->config->classes[class].place;

	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++) {
		const struct tp_cache_counters *cache =
			&appliance->dataplane->worker[w]->cache[place];

#define X(name, help) sum->name += tp_counter_read(&cache->name);
		TP_CACHE_COUNTERS(X)
#undef X
	}
}

uint64_t tp_times_bucket_ns(unsigned bucket)
{
	return tp_ns_of_cycles(tp_histogram_bucket_start(bucket));
}

void tp_times_sum(struct tp_times *sum, const struct tp_times *times)
{
	uint64_t most = tp_counter_read(&times->most);

	sum->most = RTE_MAX(sum->most, most);
	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		sum->bucket[i] += tp_counter_read(&times->bucket[i]);
}

void tp_sum_latency(struct tp_times *sum, const struct tp_appliance *appliance, uint32_t class)
{
	uint32_t place = appliance->config->classes[class].place;

	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++)
		tp_times_sum(sum, &appliance->dataplane->worker[w]->latency[place]);
}

uint64_t tp_times_count(const struct tp_times *sum)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		count += sum->bucket[i];
	return count;
}

uint64_t tp_times_ns(const struct tp_times *sum, double share)
{
	uint64_t count = tp_times_count(sum);
	struct tp_histogram histogram = {0};
	unsigned shift = 0;

	/* Of more than 32 bits hold the least significant ones do not matter. */
	while (count >> shift > UINT32_MAX)
		shift++;
	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		if (sum->bucket[i] >> shift > 0)
			tp_histogram_add(&histogram, tp_histogram_bucket_start(i),
				(uint32_t)(sum->bucket[i] >> shift));
	if (share >= 1)
		return tp_ns_of_cycles(sum->most);
	return tp_ns_of_cycles(RTE_MIN(tp_histogram_quantile(&histogram, share), sum->most));
}

void tp_sum_uplink(struct tp_uplink_sum *sum, const struct tp_uplink *uplink)
{
	for (uint16_t q = 0; q < uplink->queue_count; q++) {
		const struct tp_uplink_queue *queue = uplink->queue[q];
		struct tp_uplink_sent sent;

		for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
			sum->received.value[i] += tp_counter_read(&queue->source.counters.value[i]);
		for (unsigned i = 0; i < TP_DROP_COUNT; i++)
			sum->received.drop[i] += tp_counter_read(&queue->source.counters.drop[i]);
			/* Before what is accepted, so that no more seem to have left than came. */
#define X(name, help)                                                                              \
	sent.name = tp_counter_read(&queue->sent.name);                                            \
	sum->sent.name += sent.name;
		TP_UPLINK_SENT(X)
#undef X
		sum->accepted += tp_uplink_accepted(queue);
	}
	sum->waiting = sum->accepted - sum->sent.sent - sum->sent.lost_link_down -
		       sum->sent.lost_device_gone;
}

static const struct {
	const char *name;
	size_t offset;
} uplink_figures[TP_UPLINK_FIGURES] = {
#define RECEIVED(name, counter)                                                                    \
	{                                                                                          \
		name, offsetof(struct tp_uplink_sum, received.value[counter])                      \
	}
	RECEIVED("received", TP_COUNTER_TX_FRAMES), RECEIVED("received_bytes", TP_COUNTER_TX_BYTES),
	RECEIVED("delivered", TP_COUNTER_DELIVERED), RECEIVED("flooded", TP_COUNTER_FLOODED),
	RECEIVED("copies", TP_COUNTER_COPIES),
	RECEIVED("copies_refused", TP_COUNTER_COPIES_REFUSED),
	RECEIVED("retries", TP_COUNTER_RETRIES),
#undef RECEIVED
	{"accepted", offsetof(struct tp_uplink_sum, accepted)},
	{"waiting", offsetof(struct tp_uplink_sum, waiting)},
#define X(name, help) {#name, offsetof(struct tp_uplink_sum, sent.name)},
	TP_UPLINK_SENT(X)
#undef X
};

const char *tp_uplink_figure_name(unsigned n)
{
	return uplink_figures[n].name;
}

uint64_t tp_uplink_figure(const struct tp_uplink_sum *sum, unsigned n)
{
	return *(const uint64_t *)((const char *)sum + uplink_figures[n].offset);
}
