/* SPDX-License-Identifier: BSD-3-Clause */
#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_flow.h>

#include "base/log.h"
#include "ctl/offloads.h"
#include "flow_rules.h"
#include "uplink_device.h"

/* --- What drivers are known for --------------------------------------------------------------- */

/* Where a driver takes a rule that does something else than it says. */
struct driver {
	const char *name;
	uint16_t vlan_bits;    /* VLANs with others are matched wrongly */
	uint16_t tag_mask;     /* that a tag is to be told by */
	bool by_type;          /* a rule for each type of frame behind the tag; else one for all */
	unsigned needed_right; /* a capability, for each change of rules; 0: none */
};

static const struct driver drivers[] = {
	/* DPDK 22.11, tap_flow_create_vlan(): the VLAN is cut to eight bits, the mask is taken in
	 * the wrong order of bytes and must leave out the DEI bit, which takes bit 4 of the VLAN;
	 * and without a type no frame matches. The kernel, which keeps these rules, lets only
	 * CAP_NET_ADMIN change them. */
	{"net_tap", 0x0ef, 0xefff, true, CAP_NET_ADMIN},
	{"", 0xfff, 0x0fff, false, 0},
};

/* Frames behind a tag, where a rule is for one type: IPv4, IPv6, ARP. */
static const uint16_t types[TP_FLOWS_OF_A_RULE] = {
	RTE_ETHER_TYPE_IPV4, RTE_ETHER_TYPE_IPV6, RTE_ETHER_TYPE_ARP};

static const struct driver *driver_of(const struct tp_device *device)
{
	const struct driver *driver = drivers;

	while (driver->name[0] != '\0' && strcmp(driver->name, device->driver) != 0)
		driver++;
	return driver;
}

/* Rights may have been given up since the device was opened. */
static bool may_change(const struct driver *driver)
{
	return driver->needed_right == 0 ||
	       (capng_get_caps_process() == 0 &&
		       capng_have_capability(CAPNG_EFFECTIVE, driver->needed_right));
}

/* --- One rule --------------------------------------------------------------------------------- */

/* Room for the longest: Ethernet, tag, IP, UDP, VXLAN, end. */
struct pattern {
	struct rte_flow_item item[6];
	struct rte_flow_item_vlan tag, tag_mask;
	struct rte_flow_item_vxlan vxlan, vxlan_mask;
};

static void add_item(struct pattern *pattern, unsigned *count, enum rte_flow_item_type type,
	const void *spec, const void *mask)
{
	pattern->item[(*count)++] = (struct rte_flow_item){
		.type = type, .spec = mask == NULL ? NULL : spec, .mask = mask};
}

static void add_tag(struct pattern *pattern, unsigned *count, uint32_t vlan, uint16_t mask,
	const uint16_t *type)
{
	pattern->tag.tci = rte_cpu_to_be_16((uint16_t)vlan);
	pattern->tag_mask.tci = rte_cpu_to_be_16(mask);
	if (type != NULL) {
		pattern->tag.inner_type = rte_cpu_to_be_16(*type);
		pattern->tag_mask.inner_type = 0xffff;
	}
	add_item(pattern, count, RTE_FLOW_ITEM_TYPE_VLAN, &pattern->tag, &pattern->tag_mask);
}

static void add_tunnel(struct pattern *pattern, unsigned *count,
	const struct tp_underlay_config *underlay, const struct driver *driver, uint32_t vni)
{
	if (underlay->vlan != 0)
		add_tag(pattern, count, underlay->vlan, driver->tag_mask, NULL);
	add_item(pattern, count,
		underlay->address.length == 4 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6,
		NULL, NULL);
	add_item(pattern, count, RTE_FLOW_ITEM_TYPE_UDP, NULL, NULL);
	for (unsigned i = 0; i < 3; i++)
		pattern->vxlan.vni[i] = (uint8_t)(vni >> (16 - 8 * i));
	memset(pattern->vxlan_mask.vni, 0xff, sizeof(pattern->vxlan_mask.vni));
	add_item(pattern, count, RTE_FLOW_ITEM_TYPE_VXLAN, &pattern->vxlan, &pattern->vxlan_mask);
}

static void make_pattern(struct pattern *pattern, const struct tp_uplink_config *uplink,
	const struct driver *driver, const struct tp_steering_wish *wish, const uint16_t *type)
{
	unsigned count = 0;

	*pattern = (struct pattern){0};
	add_item(pattern, &count, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
	if (wish->kind == TP_STEER_VLAN)
		add_tag(pattern, &count, wish->number, driver->tag_mask, type);
	else
		add_tunnel(pattern, &count, &uplink->underlay, driver, wish->number);
	add_item(pattern, &count, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
}

/* @return NULL, with *why what the driver said. */
static struct rte_flow *make_flow(
	uint16_t port, const struct pattern *pattern, uint16_t queue, struct rte_flow_error *error)
{
	const struct rte_flow_attr attributes = {.ingress = 1};
	const struct rte_flow_action_queue to = {.index = queue};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	*error = (struct rte_flow_error){0};
	if (rte_flow_validate(port, &attributes, pattern->item, actions, error) < 0)
		return NULL;
	return rte_flow_create(port, &attributes, pattern->item, actions, error);
}

/* --- A wish ----------------------------------------------------------------------------------- */

static void end_flow(const struct tp_device *device, struct rte_flow *flow)
{
	struct rte_flow_error error = {0};

	if (rte_flow_destroy(device->port, flow, &error) < 0)
		tp_log(TP_LOG_WARNING, "device %u does not end a flow rule: %s", device->port,
			error.message != NULL ? error.message : rte_strerror(rte_errno));
}

/* @return true if it was in force. */
static bool end_rule(struct tp_flow_rule *rule, const struct tp_device *device)
{
	bool any = rule->flow_count > 0;

	while (rule->flow_count > 0)
		end_flow(device, rule->flow[--rule->flow_count]);
	return any;
}

static void say_refused(struct tp_flow_rule *rule, const struct rte_flow_error *error)
{
	snprintf(rule->why, sizeof(rule->why), "the device refuses a rule: %s",
		error->message != NULL ? error->message : rte_strerror(rte_errno));
}

static void make_rule(struct tp_flow_rule *rule, const struct tp_uplink_config *uplink,
	const struct tp_device *device)
{
	const struct driver *driver = driver_of(device);
	bool tag = rule->wish.kind == TP_STEER_VLAN;
	unsigned count = tag && driver->by_type ? TP_FLOWS_OF_A_RULE : 1;
	struct rte_flow_error error;
	struct pattern pattern;

	rule->why[0] = '\0';
	rule->queue = rule->wish.queue;
	if (tag && (rule->wish.number & ~(uint32_t)driver->vlan_bits) != 0) {
		snprintf(rule->why, sizeof(rule->why),
			"its driver does not tell this VLAN from others");
		return;
	}
	while (rule->flow_count < count) {
		make_pattern(&pattern, uplink, driver, &rule->wish,
			count > 1 ? &types[rule->flow_count] : NULL);
		rule->flow[rule->flow_count] =
			make_flow(device->port, &pattern, rule->queue, &error);
		if (rule->flow[rule->flow_count] == NULL) {
			say_refused(rule, &error);
			end_rule(rule, device);
			return;
		}
		rule->flow_count++;
	}
}

/* --- All of them ------------------------------------------------------------------------------ */

static bool are_fulfilled(
	const struct tp_flow_rules *rules, const struct tp_steering_wish *wishes, uint32_t count)
{
	if (rules->count != count || rules->more)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct tp_steering_wish *was = &rules->rule[i].wish;

		if (tp_steering_order(was, &wishes[i]) != 0 || was->tenant != wishes[i].tenant ||
			was->why != wishes[i].why || was->queue != wishes[i].queue)
			return false;
	}
	return true;
}

static bool make_room(struct tp_flow_rules *rules)
{
	uint32_t room = rules->ending_room == 0 ? 64 : 2 * rules->ending_room;
	struct rte_flow **more;

	if (rules->ending_room - rules->ending_count >= TP_FLOWS_OF_A_RULE)
		return true;
	more = realloc(rules->ending, room * sizeof(struct rte_flow *));
	if (more == NULL)
		return false;
	rules->ending = more;
	rules->ending_room = room;
	return true;
}

/* One of those in force is not wished. @return true if it was: there will be room for another. */
static bool let_end(
	struct tp_flow_rules *rules, struct tp_flow_rule *rule, const struct tp_device *device)
{
	if (rule->flow_count == 0 || !make_room(rules))
		return end_rule(rule, device);
	while (rule->flow_count > 0)
		rules->ending[rules->ending_count++] = rule->flow[--rule->flow_count];
	return true;
}

/* @return how many of `most` have ended. */
static uint32_t end_some(struct tp_flow_rules *rules, const struct tp_device *device, uint32_t most)
{
	uint32_t ended = 0;

	for (; rules->ending_count > 0 && ended < most; ended++)
		end_flow(device, rules->ending[--rules->ending_count]);
	return ended;
}

/* What was in force goes on if it is still wished; `old` is empty after it.
 * @return true if a rule ends. */
static bool take_over(struct tp_flow_rules *rules, struct tp_flow_rule *rule,
	struct tp_flow_rule *old, const struct tp_device *device, bool changeable)
{
	bool same =
		rule->wish.why == NULL && old->wish.why == NULL && old->queue == rule->wish.queue;
	bool ended = !same && changeable && let_end(rules, old, device);

	memcpy(rule->flow, old->flow, sizeof(rule->flow));
	rule->flow_count = old->flow_count;
	rule->queue = old->queue;
	if (same)
		memcpy(rule->why, old->why, sizeof(rule->why));
	old->flow_count = 0;
	return ended;
}

/* Both lists are in order. @return true if a rule ends. */
static bool keep_wished(struct tp_flow_rule *rule, uint32_t count, struct tp_flow_rules *old,
	const struct tp_device *device, bool changeable)
{
	bool ended = false;
	uint32_t o = 0;

	for (uint32_t i = 0; i < count; i++) {
		while (o < old->count && tp_steering_order(&old->rule[o].wish, &rule[i].wish) < 0)
			o++;
		if (o < old->count && tp_steering_order(&old->rule[o].wish, &rule[i].wish) == 0)
			ended |= take_over(old, &rule[i], &old->rule[o], device, changeable);
	}
	for (o = 0; o < old->count; o++)
		ended |= changeable && let_end(old, &old->rule[o], device);
	return ended;
}

/* @return true if the device was asked for a rule. */
static bool fulfil(struct tp_flow_rule *rule, const struct tp_uplink_config *uplink,
	const struct tp_device *device, bool changeable, bool room)
{
	bool wished = rule->wish.why == NULL;

	if (!changeable && (wished ? rule->flow_count == 0 || rule->queue != rule->wish.queue
				   : rule->flow_count > 0)) {
		snprintf(rule->why, sizeof(rule->why),
			"rules were made at the start: changing them needs CAP_NET_ADMIN, which "
			"was given up");
		return false;
	}
	if (!wished)
		snprintf(rule->why, sizeof(rule->why), "%s", rule->wish.why);
	else if (rule->flow_count > 0)
		rule->why[0] = '\0';
	else if (rule->why[0] == '\0' || room) {
		make_rule(rule, uplink, device);
		return true;
	}
	return false;
}

uint32_t tp_flow_rules_in_force(const struct tp_flow_rules *rules)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < rules->count; i++)
		count += rules->rule[i].flow_count > 0;
	return count;
}

static void tell(struct tp_flow_rules *rules, const struct tp_uplink_config *uplink)
{
	uint32_t now = tp_flow_rules_in_force(rules);
	const char *why = "";

	for (uint32_t i = rules->count; i-- > 0;)
		if (rules->rule[i].why[0] != '\0')
			why = rules->rule[i].why;
	if (rules->told == now + 1)
		return;
	rules->told = now + 1;
	tp_log(TP_LOG_INFO,
		"uplink %s: the device leads frames of %u of %u networks to their worker%s%s",
		uplink->name, now, rules->count, why[0] == '\0' ? "" : "; the others: ", why);
}

void tp_flow_rules_fulfil(struct tp_flow_rules *rules, const struct tp_uplink_config *uplink,
	const struct tp_device *device, const struct tp_steering_wish *wishes, uint32_t count,
	uint32_t most)
{
	struct tp_flow_rule *rule;
	bool changeable, room;
	uint32_t i = 0;

	if (are_fulfilled(rules, wishes, count))
		return;
	rule = calloc(count + 1, sizeof(*rule));
	if (rule == NULL)
		return; /* and looked at again soon */
	changeable = may_change(driver_of(device));
	for (uint32_t n = 0; n < count; n++)
		rule[n].wish = wishes[n];
	room = keep_wished(rule, count, rules, device, changeable);
	most -= end_some(rules, device, most);
	for (; i < count && most > 0; i++)
		most -= fulfil(&rule[i], uplink, device, changeable, room);
	rules->more = i < count || rules->ending_count > 0;
	for (; i < count && room; i++)
		rule[i].why[0] = '\0'; /* to be tried again in its turn */
	free(rules->rule);
	rules->rule = rule;
	rules->count = count;
	tell(rules, uplink);
}

void tp_flow_rules_forget(struct tp_flow_rules *rules)
{
	free(rules->ending);
	free(rules->rule);
	*rules = (struct tp_flow_rules){0};
}

/* --- What a device can ------------------------------------------------------------------------ */

static bool can(const struct tp_uplink_config *uplink, const struct tp_device *device,
	enum tp_steering_kind kind)
{
	struct tp_flow_rule rule = {.wish = {.kind = kind, .number = 2, .queue = 1}};

	make_rule(&rule, uplink, device);
	return end_rule(&rule, device);
}

uint32_t tp_flow_rules_can(const struct tp_uplink_config *uplink, const struct tp_device *device)
{
	uint32_t found = TP_OFFLOAD_NONE;

	if (device->queues < 2)
		return found;
	if (can(uplink, device, TP_STEER_VLAN))
		found |= TP_CAN_STEER_VLAN;
	if (uplink->underlay.address.length != 0 && can(uplink, device, TP_STEER_VNI))
		found |= TP_CAN_STEER_VNI;
	if (driver_of(device)->needed_right != 0)
		found |= TP_STEER_WANTS_RIGHT;
	return found;
}
