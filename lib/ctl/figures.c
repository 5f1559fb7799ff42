/* SPDX-License-Identifier: BSD-3-Clause */
#include "figures.h"

void tp_sum_interface(struct tp_counters *sum, const struct tp_port *port)
{
	const struct tp_counters *counters = &port->context->counters;

	for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
		sum->value[i] += tp_counter_read(&counters->value[i]);
	for (unsigned i = 0; i < TP_DROP_COUNT; i++)
		sum->drop[i] += tp_counter_read(&counters->drop[i]);
}

void tp_sum_tenant(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t tenant)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];

	for (uint32_t i = 0; i < config->interface_count; i++)
		tp_sum_interface(sum, &appliance->ports[config->first_interface + i]);
}

void tp_sum_class(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t class)
{
	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		if (appliance->config->interfaces[i].class_index == class)
			tp_sum_interface(sum, &appliance->ports[i]);
}

void tp_sum_all(struct tp_counters *sum, const struct tp_appliance *appliance)
{
	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		tp_sum_interface(sum, &appliance->ports[i]);
}

uint64_t tp_total_drops(const struct tp_counters *sum)
{
	uint64_t total = 0;

	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		total += sum->drop[i];
	return total;
}
