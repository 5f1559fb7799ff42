/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>

#include "base/branch.h"
#include "base/drop.h"
#include "state/vlan.h"

/*
 * vlan: the tags of a frame, and what a network's rule says of them. Tags of the wire are put on
 * and taken off here; a guest can neither choose nor see those. Frames are judged by their first
 * bytes.
 */

#define TP_TAG_BYTES 4
#define TP_TAG_OLD   0x9100 /* S-tags of before 802.1ad */

#define TP_TAGS_MOST                                                                               \
	3 /* that are looked at: two of the network, and one more is refused or not                \
	   */

/** The tags that a frame begins with, outermost first. */
struct tp_tags {
	uint8_t count;
	uint16_t type[TP_TAGS_MOST];
	uint16_t vlan[TP_TAGS_MOST]; /* identifier, 0..4095 */
};

static inline bool tp_is_tag(uint16_t type)
{
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ || type == TP_TAG_OLD;
}

static inline uint16_t tp_load_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/**
 * @param frame   from the destination MAC on
 * @param length  of it, or of what of it there is, at least 14
 * @return false if the frame ends in a tag.
 */
static inline bool tp_tags_read(const uint8_t *frame, uint32_t length, struct tp_tags *tags)
{
	const uint8_t *at = frame + 2 * RTE_ETHER_ADDR_LEN;

	for (tags->count = 0; tags->count < TP_TAGS_MOST; tags->count++, at += TP_TAG_BYTES) {
		uint16_t type = tp_load_be16(at);

		if (TP_LIKELY(!tp_is_tag(type)))
			return true;
		if (at + TP_TAG_BYTES + 2 > frame + length)
			return false;
		tags->type[tags->count] = type;
		tags->vlan[tags->count] = tp_load_be16(at + 2) & 0xfff;
	}
	return true;
}

/* Is it one C-tag that the trunk allows? */
static inline bool tp_trunk_allows(const struct tp_vlan_set *trunk, const struct tp_tags *tags)
{
	return tags->count == 1 && tags->type[0] == RTE_ETHER_TYPE_VLAN &&
	       tp_vlan_set_has(trunk, tags->vlan[0]);
}

/* May guests send frames with these tags into their network beyond the host, and get them? */
static inline bool tp_tags_allowed(const struct tp_vlan_rule *rule, const struct tp_tags *tags)
{
	if (rule->trunk != NULL)
		return tp_trunk_allows(rule->trunk, tags);
	if (tags->count == 0)
		return true;
	/* C-tags only: an S-tag inside ours would be taken for ours where ours is taken off. */
	return rule->any && tags->type[0] == RTE_ETHER_TYPE_VLAN &&
	       (tags->count == 1 || tags->type[1] == RTE_ETHER_TYPE_VLAN);
}

/* Where guests may, or must, send tags, or where this one has. */
TP_RARE bool tp_vlan_admits_tags(
	const struct tp_vlan_rule *rule, const uint8_t *frame, uint32_t length)
{
	struct tp_tags tags;

	return tp_tags_read(frame, length, &tags) && tp_tags_allowed(rule, &tags);
}

/** May a guest's frame leave? @param length of its first bytes, at least 14. */
static inline bool tp_vlan_admits(
	const struct tp_vlan_rule *rule, const uint8_t *frame, uint32_t length)
{
	if (TP_LIKELY(rule->trunk == NULL &&
		      !tp_is_tag(tp_load_be16(frame + 2 * RTE_ETHER_ADDR_LEN))))
		return true;
	return tp_vlan_admits_tags(rule, frame, length);
}

/** Bytes of tags that the network puts before a guest's. */
static inline uint32_t tp_vlan_added(const struct tp_vlan_rule *rule)
{
	return (rule->service != TP_VLAN_NONE ? TP_TAG_BYTES : 0) +
	       (rule->vlan != TP_VLAN_NONE ? TP_TAG_BYTES : 0);
}

static inline uint8_t *tp_tag_put(uint8_t *to, uint16_t type, uint16_t vlan)
{
	to[0] = (uint8_t)(type >> 8);
	to[1] = (uint8_t)type;
	to[2] = (uint8_t)(vlan >> 8);
	to[3] = (uint8_t)vlan;
	return to + TP_TAG_BYTES;
}

/**
 * Write a frame's addresses and the network's tags; what follows the addresses in the frame comes
 * next.
 * @param to     12 bytes and tp_vlan_added; it may overlap the frame from before
 * @param frame  its first 12 bytes
 * @return behind the last byte written.
 */
static inline uint8_t *tp_vlan_push(
	const struct tp_vlan_rule *rule, uint8_t *to, const uint8_t *frame)
{
	memmove(to, frame, 2 * RTE_ETHER_ADDR_LEN);
	to += 2 * RTE_ETHER_ADDR_LEN;
	if (rule->service != TP_VLAN_NONE)
		to = tp_tag_put(to, RTE_ETHER_TYPE_QINQ, rule->service);
	if (rule->vlan != TP_VLAN_NONE)
		to = tp_tag_put(to, RTE_ETHER_TYPE_VLAN, rule->vlan);
	return to;
}

/* Take off the outermost tag, which is to be this one. */
static inline bool tp_tags_strip(struct tp_tags *tags, uint16_t type, uint16_t vlan)
{
	if (vlan == TP_VLAN_NONE)
		return true;
	if (tags->count == 0 || tags->type[0] != type || tags->vlan[0] != vlan)
		return false;
	tags->count--;
	memmove(tags->type, tags->type + 1, tags->count * sizeof(tags->type[0]));
	memmove(tags->vlan, tags->vlan + 1, tags->count * sizeof(tags->vlan[0]));
	return true;
}

/**
 * Judge a frame from the wire, of the network that its outermost tag names.
 * @param length  of the frame, at least 14
 * @return TP_DROP_NONE: tp_vlan_added bytes behind the addresses are not for guests; or
 * TP_DROP_TAGGED.
 */
static inline enum tp_drop tp_vlan_accept(
	const struct tp_vlan_rule *rule, const uint8_t *frame, uint32_t length)
{
	struct tp_tags tags;

	if (!tp_tags_read(frame, length, &tags) ||
		!tp_tags_strip(&tags, RTE_ETHER_TYPE_QINQ, rule->service) ||
		!tp_tags_strip(&tags, RTE_ETHER_TYPE_VLAN, rule->vlan) ||
		!tp_tags_allowed(rule, &tags))
		return TP_DROP_TAGGED;
	return TP_DROP_NONE;
}
