/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/offloads.h"

const char *tp_doer_name(enum tp_doer doer)
{
	static const char *const names[] = {
		[TP_DOER_HARDWARE] = "hardware",
		[TP_DOER_SOFTWARE] = "software",
		[TP_DOER_NOBODY] = "refused",
	};

	return names[doer];
}

uint32_t tp_offloads_chosen(const struct tp_uplink_config *uplink, uint32_t can)
{
	return uplink->offloads & can & TP_OFFLOAD_ALL;
}

/* --- What a configuration needs of an uplink --- */

struct needs {
	bool tags;  /* one that guests do not see */
	bool stack; /* an S-tag */
	bool tunnel4, tunnel6;
	bool rates;
	bool steered_tags, steered_tunnels; /* what flow rules could tell apart */
};

static struct needs find_needs(const struct tp_config *config, uint32_t uplink)
{
	bool ipv4 = config->uplinks[uplink].underlay.address.length == 4;
	struct needs needs = {0};

	for (uint32_t t = 0; t < config->tenant_count; t++) {
		const struct tp_tenant_config *tenant = &config->tenants[t];
		const struct tp_network_config *network = &tenant->network;

		if (network->kind == TP_NETWORK_NONE || network->uplink_index != uplink)
			continue;
		needs.tags |= network->kind == TP_NETWORK_VLAN;
		needs.stack |= network->kind == TP_NETWORK_STACKED;
		needs.tunnel4 |= network->kind == TP_NETWORK_TUNNEL && ipv4;
		needs.tunnel6 |= network->kind == TP_NETWORK_TUNNEL && !ipv4;
		needs.steered_tags |=
			network->kind == TP_NETWORK_VLAN || network->kind == TP_NETWORK_TRUNK;
		needs.steered_tunnels |= network->kind == TP_NETWORK_TUNNEL;
		for (uint32_t i = 0; i < tenant->interface_count; i++) {
			const struct tp_rate_config *rate =
				&config->interfaces[tenant->first_interface + i].rate;

			needs.rates |= rate->bits_per_second > 0 || rate->frames_per_second > 0;
		}
	}
	return needs;
}

/* --- Who does it --- */

static struct tp_wish offload(
	const char *what, const struct tp_uplink_config *uplink, uint32_t can, uint32_t offload)
{
	struct tp_wish wish = {
		what, TP_DOER_SOFTWARE, "the device can, \"offloads\" leaves it out"};

	if (!(can & offload))
		wish.why = "the device cannot";
	else if (uplink->offloads & offload)
		wish = (struct tp_wish){what, TP_DOER_HARDWARE, "the device can"};
	return wish;
}

/* A sum made beforehand, and two additions: cheaper than the fast way of a driver, which most leave
 * when they are asked for sums. */
static struct tp_wish outer_ipv4(const struct tp_uplink_config *uplink, uint32_t can)
{
	struct tp_wish wish = offload("outer IPv4 checksum", uplink, can, TP_OFFLOAD_IPV4_CHECKSUM);

	if (wish.doer == TP_DOER_SOFTWARE && (can & TP_OFFLOAD_IPV4_CHECKSUM))
		wish.why = "two additions to a sum made beforehand are cheaper; \"offloads\" can "
			   "name it";
	return wish;
}

static struct tp_wish spreading(
	const struct tp_config *config, const struct tp_uplink_config *uplink, uint32_t can)
{
	struct tp_wish wish = {
		"frames to several workers", TP_DOER_SOFTWARE, "there is one worker"};

	if (config->worker_count == 1)
		return wish;
	wish = offload(wish.what, uplink, can, TP_OFFLOAD_RSS);
	wish.why = wish.doer == TP_DOER_HARDWARE
			   ? "by the hash of their flow (RSS); who receives one delivers it"
			   : "one queue's owner receives them, and delivers them to all tenants";
	if (wish.doer == TP_DOER_HARDWARE && uplink->queues == 1)
		wish = (struct tp_wish){wish.what, TP_DOER_SOFTWARE, "the file gives it one queue"};
	return wish;
}

/* Who of several workers gets a tenant's frames: the one that serves it, or whoever. */
static struct tp_wish steering(const char *what, const struct tp_config *config,
	const struct tp_uplink_config *uplink, uint32_t can, uint32_t needed)
{
	struct tp_wish wish = {what, TP_DOER_SOFTWARE, "there is one worker"};

	if (config->worker_count == 1)
		return wish;
	if (uplink->queues == 1)
		wish.why = "the file gives it one queue";
	else if (!uplink->steering)
		wish.why = "\"steering\" is off; who receives a frame delivers it";
	else if (!(can & needed))
		wish.why = "the device takes no such rule; who receives a frame delivers it";
	else if ((can & TP_STEER_WANTS_RIGHT) && config->user != NULL)
		wish = (struct tp_wish){what, TP_DOER_HARDWARE,
			"by rules that stay as they were at the start: changing them needs "
			"CAP_NET_ADMIN, which \"process.user\" gives up"};
	else
		wish = (struct tp_wish){what, TP_DOER_HARDWARE,
			"by a rule for each (rte_flow), as far as the device has room"};
	return wish;
}

unsigned tp_offloads_plan(
	const struct tp_config *config, uint32_t uplink_index, uint32_t can, struct tp_wish *wishes)
{
	const struct tp_uplink_config *uplink = &config->uplinks[uplink_index];
	struct needs needs = find_needs(config, uplink_index);
	unsigned count = 0;

	if (needs.tags) {
		wishes[count++] = offload("VLAN tags put on", uplink, can, TP_OFFLOAD_VLAN_INSERT);
		wishes[count++] =
			offload("VLAN tags taken off", uplink, can, TP_OFFLOAD_VLAN_STRIP);
	}
	if (needs.stack)
		wishes[count++] = (struct tp_wish){"S-tags", TP_DOER_SOFTWARE,
			"devices differ in the kind of tag that they put on"};
	if (needs.tunnel4)
		wishes[count++] = outer_ipv4(uplink, can);
	if (needs.tunnel6)
		wishes[count++] =
			offload("outer UDP checksum", uplink, can, TP_OFFLOAD_UDP_CHECKSUM);
	wishes[count++] = spreading(config, uplink, can);
	if (needs.steered_tags)
		wishes[count++] =
			steering("VLANs to their worker", config, uplink, can, TP_CAN_STEER_VLAN);
	if (needs.steered_tunnels)
		wishes[count++] =
			steering("tunnels to their worker", config, uplink, can, TP_CAN_STEER_VNI);
	if (needs.rates)
		wishes[count++] = (struct tp_wish){"rates of interfaces", TP_DOER_SOFTWARE,
			can & TP_CAN_SHAPE ? "frames wait in the guests' rings, and not in the "
					     "device's, whose traffic manager is not used"
					   : "frames wait in the guests' rings"};
	wishes[count++] = (struct tp_wish){"segmentation (TSO)", TP_DOER_NOBODY,
		"guests are offered none, so no frame needs it"};
	return count;
}
