/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "appliance_private.h"
#include "base/log.h"

/*
 * Announcements that front-ends ask for when their guests have come from another host (SEND_RARP of
 * vhost-user): whether, and how often. A worker sends them (path/announce.h).
 *
 * A guest that is asked for often costs its network a broadcast each time, and perhaps one in each
 * VLAN of a trunk: beyond a few at once there is one in half a second.
 */

#define AT_ONCE  10 /* QEMU asks five times within a second, unless told otherwise */
#define EVERY_MS 500

static bool is_its_mac(const struct tp_interface_config *config, const uint8_t mac[6])
{
	if (memcmp(mac, config->mac, 6) == 0)
		return true;
	for (uint32_t i = 0; i < config->mac_count; i++)
		if (memcmp(mac, config->macs[i], 6) == 0)
			return true;
	/* It may send what it likes. */
	return !config->source_mac_check && (mac[0] & 1) == 0 && tp_mac_of(mac) != 0;
}

static bool is_due(struct tp_port *port)
{
	uint64_t now_ms = tp_loop_now_ms();

	if (port->announce_due_ms < now_ms)
		port->announce_due_ms = now_ms;
	if (port->announce_due_ms - now_ms > (AT_ONCE - 1) * EVERY_MS)
		return false;
	port->announce_due_ms += EVERY_MS;
	return true;
}

static void count(struct tp_port *port, enum tp_counter counter)
{
	tp_counter_add(&port->context->counters.value[counter], 1);
}

static void warn_of_foreign(struct tp_port *port, const uint8_t mac[6])
{
	const struct tp_interface_config *config = &port->config->interfaces[port->index];
	char text[TP_CONFIG_MAC_TEXT];

	tp_log_limited(&port->warnings, TP_LOG_WARNING,
		"%s/%s: announces %s, which is not its MAC: ignored",
		port->config->tenants[config->tenant_index].name, config->name,
		tp_config_format_mac(mac, text));
}

void tp_announce_guest(void *owner, const uint8_t mac[6])
{
	struct tp_port *port = owner;

	if (!is_its_mac(&port->config->interfaces[port->index], mac)) {
		count(port, TP_COUNTER_ANNOUNCEMENTS_FOREIGN);
		warn_of_foreign(port, mac);
		return;
	}
	if (!is_due(port)) {
		count(port, TP_COUNTER_ANNOUNCEMENTS_TOO_MANY);
		return;
	}
	atomic_store_explicit(&port->context->announce, tp_mac_of(mac), memory_order_relaxed);
	/* One that does not run yet is looked at when it starts. */
	if (tp_vring_running(&port->context->pair[0].tx))
		tp_kick_attend(port, 0);
}

void tp_forget_announcement(struct tp_port *port)
{
	atomic_store_explicit(&port->context->announce, 0, memory_order_relaxed);
}
