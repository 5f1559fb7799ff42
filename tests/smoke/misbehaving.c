/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/channel.h"
#include "misbehaving.h"

/* clang-format off */
static const char one_tenant[] =
	"'acme': {'interfaces': {"
		INTERFACE("n1", "01", "") "," INTERFACE("n2", "02", "") ","
		INTERFACE("bad", "03", "") "," INTERFACE("peer", "04", "") "}}";
/* clang-format on */

struct scene *with_neighbours(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, one_tenant);
	scene_attach(scene, 0, "n1.sock", NULL);
	scene_attach(scene, 1, "n2.sock", NULL);
	scene_attach(scene, PEER, "peer.sock", NULL);
	neighbours_start(scene);
	return scene;
}

struct tp_frontend *come(struct scene *scene, const struct tp_frontend_settings *settings)
{
	return scene_attach(scene, BAD, "bad.sock", settings);
}

/* Frames still pass to and from the interface. */
static void use_again(struct scene *scene)
{
	struct tp_frontend *guest = come(scene, NULL);

	for (uint32_t seed = 0; seed < 20; seed++) {
		guest_say(guest, 4, 3, seed);
		guest_hear(scene->guest[PEER], 4, 3, seed);
		guest_say(scene->guest[PEER], 3, 4, seed);
		guest_hear(guest, 3, 4, seed);
	}
}

void wait_thrown_out(struct scene *scene, const char *reason)
{
	assert_int_equal(tp_channel_wait_closed(scene->guest[BAD]->socket, 5000), 0);
	appliance_wait_text(&scene->appliance, "acme/bad", "reason", reason);
	scene_hang_up(scene, BAD);
	neighbours_expect_well();
}

void end_well(struct scene *scene)
{
	use_again(scene);
	neighbours_stop();
	scene_end(scene);
}

/* The least of several looks: the answer to an earlier question may still hold a descriptor. */
struct footprint footprint_of(const struct scene *scene)
{
	struct footprint least = {UINT32_MAX, UINT32_MAX};

	appliance_wait_text(&scene->appliance, "acme/bad", "state", "listening");
	for (int i = 0; i < 20; i++) {
		unsigned descriptors = appliance_descriptors(&scene->appliance);
		unsigned mappings = appliance_mappings(&scene->appliance);

		least.descriptors =
			descriptors < least.descriptors ? descriptors : least.descriptors;
		least.mappings = mappings < least.mappings ? mappings : least.mappings;
		usleep(2000);
	}
	return least;
}

void expect_no_growth(const struct scene *scene, struct footprint before)
{
	struct footprint after = footprint_of(scene);

	assert_int_equal(after.descriptors, before.descriptors);
	/* The heap may split once; the stack of who closes what was passed stays for the next one.
	 */
	assert_in_range(after.mappings, 0, before.mappings + 4);
}
