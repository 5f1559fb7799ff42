/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config_tables.h"
#include "diff.h"

/* The kinds of objects in a configuration, and their fields as text. */

#define TEXT(NAME)                                                                                 \
	static void NAME(const struct tp_config *config, uint32_t index, char text[TP_FIELD_TEXT])

__attribute__((format(printf, 2, 3))) static void put(char *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, TP_FIELD_TEXT, format, arguments);
	va_end(arguments);
}

static void put_bool(char *text, bool value)
{
	strcpy(text, value ? "true" : "false");
}

/* In the largest unit in which it is a whole number. */
static void put_time(char *text, uint64_t ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
	unsigned i = 0;

	while (ns % units[i].ns != 0)
		i++;
	put(text, "%" PRIu64 "%s", ns / units[i].ns, units[i].unit);
}

static void put_rate(char *text, const struct tp_rate_config *rate)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T"};
	bool bits = rate->bits_per_second > 0;
	uint64_t value = bits ? rate->bits_per_second : rate->frames_per_second;
	char burst[64] = "";
	char time[TP_FIELD_TEXT];
	unsigned prefix = 0;

	for (; prefix < 4 && value > 0 && value % 1000 == 0; prefix++)
		value /= 1000;
	put_time(time, rate->burst_ns);
	if (rate->burst_bytes > 0)
		snprintf(burst, sizeof(burst), ", burst %" PRIu64 "B", rate->burst_bytes);
	else if (rate->burst_ns > 0)
		snprintf(burst, sizeof(burst), ", burst %.40s", time);
	if (value == 0)
		strcpy(text, "none");
	else
		put(text, "%" PRIu64 "%s%s%s%s", value, prefixes[prefix], bits ? "bit/s" : "pps",
			burst, rate->layer1 ? ", layer 1" : "");
}

/* --- dataplane ------------------------------------------------------------------------------- */

static uint32_t once(const struct tp_config *config)
{
	(void)config;
	return 1;
}

static const char *no_name(const struct tp_config *config, uint32_t index)
{
	(void)config;
	(void)index;
	return "";
}

TEXT(worker_cores)
{
	size_t length = 1;

	(void)index;
	strcpy(text, "[");
	for (uint32_t i = 0; i < config->worker_count && length < TP_FIELD_TEXT - 16; i++)
		length += (size_t)snprintf(text + length, TP_FIELD_TEXT - length, "%s%u",
			i == 0 ? "" : ", ", config->worker_cores[i]);
	strcpy(text + length, length < TP_FIELD_TEXT - 16 ? "]" : ", ...]");
}

TEXT(control_core)
{
	(void)index;
	put(text, config->control_core < 0 ? "any" : "%d", config->control_core);
}

TEXT(hot_cache)
{
	(void)index;
	strcpy(text, config->hot_cache ? "on" : "off");
}

TEXT(hot_contexts)
{
	(void)index;
	put(text, "%" PRIu32, config->hot_contexts);
}

TEXT(stay_hot)
{
	(void)index;
	put_time(text, config->stay_hot_ns);
}

TEXT(sweep_budget)
{
	(void)index;
	put_time(text, config->sweep_budget_ns);
}

TEXT(uplink_nap)
{
	(void)index;
	put_time(text, config->uplink_nap_ns);
}

TEXT(idle_sleep)
{
	(void)index;
	put_bool(text, config->idle_sleep);
}

TEXT(control_socket)
{
	(void)index;
	put(text, "%s", config->control_socket);
}

static const struct tp_object_field dataplane[] = {
	{"worker_cores", TP_EFFECT_LIVE, false, worker_cores},
	{"control_core", TP_EFFECT_RESTART, false, control_core},
	{"hot_cache", TP_EFFECT_LIVE, false, hot_cache},
	{"hot_contexts", TP_EFFECT_LIVE, false, hot_contexts},
	{"stay_hot", TP_EFFECT_LIVE, false, stay_hot},
	{"sweep_budget", TP_EFFECT_LIVE, false, sweep_budget},
	{"idle_sleep", TP_EFFECT_LIVE, false, idle_sleep},
	{"uplink_nap", TP_EFFECT_RESTART, false, uplink_nap},
	{"control_socket", TP_EFFECT_RESTART, false, control_socket},
};

/* --- process and sockets --------------------------------------------------------------------- */

static void put_account(char *text, const char *name)
{
	put(text, "%s", name == NULL ? "as it was started" : name);
}

TEXT(user)
{
	(void)index;
	put_account(text, config->user);
}

TEXT(group)
{
	(void)index;
	put_account(text, config->group);
}

TEXT(system_call_filter)
{
	(void)index;
	strcpy(text, config->system_call_filter ? "on" : "off");
}

static void put_access(char *text, const struct tp_socket_config *sockets)
{
	put(text, "%04o, owner %s, group %s", (unsigned)sockets->access.mode,
		sockets->owner == NULL ? "by default" : sockets->owner,
		sockets->group == NULL ? "by default" : sockets->group);
}

TEXT(control_access)
{
	(void)index;
	put_access(text, &config->control_sockets);
}

static const struct tp_object_field process[] = {
	{"user", TP_EFFECT_RESTART, false, user},
	{"group", TP_EFFECT_RESTART, false, group},
	{"system_call_filter", TP_EFFECT_RESTART, false, system_call_filter},
	{"control_socket_access", TP_EFFECT_RESTART, false, control_access},
};

/* --- tariff and billing ---------------------------------------------------------------------- */

TEXT(per_frame)
{
	(void)index;
	put(text, "%" PRIu64, config->tariff_per_frame);
}

TEXT(per_64_bytes)
{
	(void)index;
	put(text, "%" PRIu64, config->tariff_per_64_bytes);
}

static const struct tp_object_field tariff[] = {
	{"per_frame", TP_EFFECT_LIVE, false, per_frame},
	{"per_64_bytes", TP_EFFECT_LIVE, false, per_64_bytes},
};

TEXT(directory)
{
	(void)index;
	put(text, "%s", config->billing_directory == NULL ? "none" : config->billing_directory);
}

TEXT(interval)
{
	(void)index;
	put_time(text, config->billing_interval_ns);
}

static const struct tp_object_field billing[] = {
	{"directory", TP_EFFECT_RESTART, false, directory},
	{"interval", TP_EFFECT_LIVE, false, interval},
};

/* --- classes --------------------------------------------------------------------------------- */

static uint32_t class_count(const struct tp_config *config)
{
	return config->class_count;
}

static const char *class_name(const struct tp_config *config, uint32_t index)
{
	return config->classes[index].name;
}

TEXT(bid)
{
	put(text, "%.15g", config->classes[index].bid);
}

TEXT(weight)
{
	put(text, "%" PRIu32, config->classes[index].weight);
}

TEXT(pinned)
{
	put_bool(text, config->classes[index].pinned);
}

TEXT(class_rate)
{
	put_rate(text, &config->classes[index].rate);
}

TEXT(on_full)
{
	const struct tp_class_config *class = &config->classes[index];
	char time[TP_FIELD_TEXT];

	put_time(time, class->hold_ns);
	if (class->on_full == TP_ON_FULL_DROP)
		strcpy(text, "drop");
	else
		put(text, "hold %.40s", time);
}

TEXT(flood_rate)
{
	const struct tp_rate_config rate = {.frames_per_second = config->classes[index].flood_rate};

	put_rate(text, &rate);
}

static const struct tp_object_field classes[] = {
	{"bid", TP_EFFECT_LIVE, true, bid},
	{"weight", TP_EFFECT_LIVE, true, weight},
	{"pinned", TP_EFFECT_LIVE, false, pinned},
	{"rate", TP_EFFECT_LIVE, false, class_rate},
	{"on_full", TP_EFFECT_LIVE, false, on_full},
	{"flood_rate", TP_EFFECT_LIVE, false, flood_rate},
};

/* --- uplinks --------------------------------------------------------------------------------- */

static uint32_t uplink_count(const struct tp_config *config)
{
	return config->uplink_count;
}

static const char *uplink_name(const struct tp_config *config, uint32_t index)
{
	return config->uplinks[index].name;
}

TEXT(device)
{
	put(text, "%s", config->uplinks[index].device);
}

TEXT(queues)
{
	put(text, config->uplinks[index].queues == 0 ? "one a worker" : "%u",
		config->uplinks[index].queues);
}

TEXT(rx_descriptors)
{
	put(text, "%u", config->uplinks[index].rx_descriptors);
}

TEXT(tx_descriptors)
{
	put(text, "%u", config->uplinks[index].tx_descriptors);
}

TEXT(mtu)
{
	put(text, "%u", config->uplinks[index].mtu);
}

TEXT(offloads)
{
	size_t used = 0;

	strcpy(text, "none");
	for (unsigned i = 0; i < TP_OFFLOAD_COUNT; i++)
		if (config->uplinks[index].offloads & (1u << i))
			used += (size_t)snprintf(text + used, TP_FIELD_TEXT - used, "%s%s",
				used > 0 ? ", " : "", tp_config_offload_name(i));
}

TEXT(steering)
{
	put(text, config->uplinks[index].steering ? "auto" : "off");
}

TEXT(vxlan)
{
	const struct tp_underlay_config *underlay = &config->uplinks[index].underlay;
	char address[TP_ADDRESS_TEXT], gateway[TP_ADDRESS_TEXT] = "none";

	strcpy(text, "none");
	if (underlay->address.length == 0)
		return;
	if (underlay->gateway.length != 0)
		tp_address_format(&underlay->gateway, gateway);
	put(text, "%s/%u, gateway %s, port %u, VLAN %u",
		tp_address_format(&underlay->address, address), underlay->prefix, gateway,
		underlay->port, underlay->vlan);
}

static const struct tp_object_field uplinks[] = {
	{"offloads", TP_EFFECT_RESTART, false, offloads},
	{"steering", TP_EFFECT_LIVE, false, steering},
	{"vxlan", TP_EFFECT_RESTART, false, vxlan},
	{"device", TP_EFFECT_RESTART, true, device},
	{"queues", TP_EFFECT_RESTART, false, queues},
	{"rx_descriptors", TP_EFFECT_RESTART, false, rx_descriptors},
	{"tx_descriptors", TP_EFFECT_RESTART, false, tx_descriptors},
	{"mtu", TP_EFFECT_RESTART, false, mtu},
};

/* --- tenants --------------------------------------------------------------------------------- */

static uint32_t tenant_count(const struct tp_config *config)
{
	return config->tenant_count;
}

static const char *tenant_name(const struct tp_config *config, uint32_t index)
{
	return config->tenants[index].name;
}

TEXT(budget)
{
	const struct tp_tenant_config *tenant = &config->tenants[index];

	if (tenant->has_budget)
		put(text, "%" PRIu64 " credits per second, burst %" PRIu64,
			tenant->credits_per_second, tenant->burst);
	else
		strcpy(text, "none");
}

/* A limit that follows from the number of interfaces is not told of the tenant. */
TEXT(mac_learning)
{
	const struct tp_tenant_config *tenant = &config->tenants[index];
	struct tp_tenant_config by_default = *tenant;
	char most[40] = "";

	by_default.macs_per_tenant = 0;
	tp_config_settle_learning(&by_default);
	if (tenant->macs_per_tenant != by_default.macs_per_tenant)
		snprintf(most, sizeof(most), ", per tenant %" PRIu32, tenant->macs_per_tenant);
	if (tenant->mac_learning)
		put(text, "age %" PRIu32 "s, per interface %" PRIu32 "%s", tenant->mac_age_s,
			tenant->macs_per_interface, most);
	else
		strcpy(text, "off");
}

/* FNV-1a (Fowler, Noll, Vo): lists may be longer than any text. */
static uint32_t digest(uint32_t hash, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 16777619u;
	return hash;
}

static uint32_t digest_lists(const struct tp_network_config *network)
{
	uint32_t hash = 2166136261u;

	if (network->trunk != NULL)
		hash = digest(hash, network->trunk, 4096 / 8);
	for (uint32_t r = 0; r < network->remote_count; r++) {
		const struct tp_remote_config *remote = &network->remotes[r];

		hash = digest(hash, &remote->address, sizeof(remote->address));
		hash = digest(hash, &remote->flood, sizeof(remote->flood));
		hash = digest(hash, remote->macs, remote->mac_count * sizeof(remote->macs[0]));
	}
	return hash;
}

static void put_network(char *text, const char *uplink, const struct tp_network_config *network)
{
	size_t used = (size_t)snprintf(text, TP_FIELD_TEXT, "%s", uplink);
	const struct {
		const char *name;
		uint32_t value;
	} parts[] = {
		{"S-VLAN", network->service_vlan},
		{"VLAN", network->vlan},
		{"VNI", network->vni},
		{"MTU", network->mtu},
		{"remotes", network->remote_count},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].value != 0)
			used += (size_t)snprintf(text + used, TP_FIELD_TEXT - used, ", %s %" PRIu32,
				parts[i].name, parts[i].value);
	if (network->trunk != NULL || network->remote_count > 0)
		snprintf(text + used, TP_FIELD_TEXT - used, ", %s%s (digest %08" PRIx32 ")",
			network->trunk != NULL ? "trunk" : "",
			network->remote_count > 0 ? " lists" : "", digest_lists(network));
}

TEXT(network)
{
	const struct tp_network_config *network = &config->tenants[index].network;

	if (network->kind == TP_NETWORK_NONE)
		strcpy(text, "none");
	else
		put_network(text, config->uplinks[network->uplink_index].name, network);
}

TEXT(unknown_unicast)
{
	strcpy(text, config->tenants[index].unknown_unicast == TP_UNKNOWN_UNICAST_FLOOD ? "flood"
											: "drop");
}

static const struct tp_object_field tenants[] = {
	{"budget", TP_EFFECT_LIVE, false, budget},
	{"network", TP_EFFECT_LIVE, false, network},
	{"mac_learning", TP_EFFECT_LIVE, false, mac_learning},
	{"unknown_unicast", TP_EFFECT_LIVE, false, unknown_unicast},
};

/* --- interfaces ------------------------------------------------------------------------------ */

static uint32_t interface_count(const struct tp_config *config)
{
	return config->interface_count;
}

static const char *interface_name(const struct tp_config *config, uint32_t index)
{
	return config->interfaces[index].name;
}

static const char *interface_tenant(const struct tp_config *config, uint32_t index)
{
	return config->tenants[config->interfaces[index].tenant_index].name;
}

TEXT(mac)
{
	tp_config_format_mac(config->interfaces[index].mac, text);
}

TEXT(macs)
{
	const struct tp_interface_config *interface = &config->interfaces[index];
	int length = snprintf(text, TP_FIELD_TEXT, "%s", interface->mac_count == 0 ? "none" : "");

	for (uint32_t i = 0; i < interface->mac_count; i++) {
		char mac[TP_CONFIG_MAC_TEXT];

		length += snprintf(text + length, TP_FIELD_TEXT - (size_t)length, "%s%s",
			i == 0 ? "" : " ", tp_config_format_mac(interface->macs[i], mac));
	}
}

TEXT(class_of)
{
	put(text, "%s", config->classes[config->interfaces[index].class_index].name);
}

static bool same_rate(const struct tp_rate_config *a, const struct tp_rate_config *b)
{
	return a->bits_per_second == b->bits_per_second &&
	       a->frames_per_second == b->frames_per_second && a->burst_bytes == b->burst_bytes &&
	       a->burst_ns == b->burst_ns && a->layer1 == b->layer1;
}

/* What a class changes for all its interfaces is told once, of the class. */
TEXT(interface_rate)
{
	const struct tp_interface_config *interface = &config->interfaces[index];

	if (same_rate(&interface->rate, &config->classes[interface->class_index].rate))
		strcpy(text, "of its class");
	else
		put_rate(text, &interface->rate);
}

TEXT(source_mac_check)
{
	put_bool(text, config->interfaces[index].source_mac_check);
}

TEXT(socket)
{
	put(text, "%s", config->interfaces[index].socket);
}

/* Of the tenant's sockets, told of each, since each is made anew; those that guests serve are not
 * touched by it. */
TEXT(socket_access)
{
	static const struct tp_socket_config untouched = {.access.mode = 0660};
	const struct tp_interface_config *interface = &config->interfaces[index];

	put_access(text,
		interface->client ? &untouched : &config->tenants[interface->tenant_index].sockets);
}

TEXT(mode)
{
	strcpy(text, config->interfaces[index].client ? "client" : "server");
}

TEXT(queue_pairs)
{
	put(text, "%u", config->interfaces[index].queue_pairs);
}

static const struct tp_object_field interfaces[] = {
	{"class", TP_EFFECT_LIVE, true, class_of},
	{"mac", TP_EFFECT_LIVE, true, mac},
	{"macs", TP_EFFECT_LIVE, false, macs},
	{"rate", TP_EFFECT_LIVE, false, interface_rate},
	{"source_mac_check", TP_EFFECT_LIVE, false, source_mac_check},
	{"socket", TP_EFFECT_REPLACE, true, socket},
	{"socket_access", TP_EFFECT_REPLACE, false, socket_access},
	{"mode", TP_EFFECT_REPLACE, false, mode},
	{"queue_pairs", TP_EFFECT_REPLACE, false, queue_pairs},
};

#define FIELDS(TABLE) TABLE, sizeof(TABLE) / sizeof((TABLE)[0])

const struct tp_object_table tp_object_tables[TP_OBJECT_KINDS] = {
	[TP_OBJECT_DATAPLANE] = {"dataplane", TP_EFFECT_LIVE, once, no_name, NULL,
		FIELDS(dataplane)},
	[TP_OBJECT_PROCESS] = {"process", TP_EFFECT_LIVE, once, no_name, NULL, FIELDS(process)},
	[TP_OBJECT_TARIFF] = {"tariff", TP_EFFECT_LIVE, once, no_name, NULL, FIELDS(tariff)},
	[TP_OBJECT_BILLING] = {"billing", TP_EFFECT_LIVE, once, no_name, NULL, FIELDS(billing)},
	[TP_OBJECT_CLASS] = {"class", TP_EFFECT_LIVE, class_count, class_name, NULL,
		FIELDS(classes)},
	[TP_OBJECT_UPLINK] = {"uplink", TP_EFFECT_RESTART, uplink_count, uplink_name, NULL,
		FIELDS(uplinks)},
	[TP_OBJECT_TENANT] = {"tenant", TP_EFFECT_LIVE, tenant_count, tenant_name, NULL,
		FIELDS(tenants)},
	[TP_OBJECT_INTERFACE] = {"interface", TP_EFFECT_LIVE, interface_count, interface_name,
		interface_tenant, FIELDS(interfaces)},
};
