/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "appliance_private.h"
#include "base/log.h"

/*
 * What the service manager is told (sd_notify(3)): that guests can come, that the appliance ends,
 * and in between that it works. The last is only said when every worker has finished a sweep since
 * it was last said: an event loop that turns beside workers that stand still is of no use to
 * guests. A worker that sleeps wakes several times a second, so it counts as one that works.
 */

#define LOOKS 4 /* in the time after which the service manager takes the appliance for dead */

static bool all_work(struct tp_appliance *appliance, unsigned *stalled)
{
	const struct tp_dataplane *dataplane = appliance->dataplane;

	for (unsigned w = 0; w < dataplane->worker_count; w++)
		if (tp_counter_read(&dataplane->worker[w]->sweeps) ==
			appliance->watchdog.sweeps[w]) {
			*stalled = w;
			return false;
		}
	return true;
}

static void note_sweeps(struct tp_appliance *appliance)
{
	const struct tp_dataplane *dataplane = appliance->dataplane;

	for (unsigned w = 0; w < dataplane->worker_count; w++)
		appliance->watchdog.sweeps[w] = tp_counter_read(&dataplane->worker[w]->sweeps);
}

static void look(struct tp_timer *timer)
{
	struct tp_appliance *appliance =
		tp_container_of(timer, struct tp_appliance, watchdog.timer);
	struct tp_watchdog *watchdog = &appliance->watchdog;
	unsigned stalled;

	if (all_work(appliance, &stalled)) {
		if (watchdog->stalled > 1)
			tp_log(TP_LOG_INFO, "watchdog: all workers work again");
		watchdog->stalled = 0;
		note_sweeps(appliance);
		sd_notify(0, "WATCHDOG=1");
	} else if (++watchdog->stalled == 2) {
		tp_log(TP_LOG_ERROR,
			"watchdog: worker %u has finished no sweep for %" PRIu64
			" ms: the service manager is not told that all is well",
			stalled, 2 * watchdog->look_ms);
	}
	tp_loop_arm(appliance->loop, timer, watchdog->look_ms);
}

void tp_watchdog_ready(struct tp_appliance *appliance)
{
	struct tp_watchdog *watchdog = &appliance->watchdog;
	uint64_t limit_us = 0;

	sd_notifyf(0, "READY=1\nSTATUS=%" PRIu32 " interfaces of %" PRIu32 " tenants",
		appliance->config->interface_count, appliance->config->tenant_count);
	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return;
	watchdog->look_ms = limit_us / 1000 / LOOKS;
	watchdog->timer.expired = look;
	note_sweeps(appliance);
	if (tp_loop_arm(appliance->loop, &watchdog->timer, watchdog->look_ms) < 0)
		tp_log(TP_LOG_ERROR, "watchdog: no memory for a timer");
}

void tp_watchdog_stopping(struct tp_appliance *appliance)
{
	tp_loop_disarm(appliance->loop, &appliance->watchdog.timer);
	sd_notify(0, "STOPPING=1");
}
