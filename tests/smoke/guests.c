/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/channel.h"
#include "guests.h"

#define WAIT_MS 5000

static struct scene the_scene;

static void end_neighbours(void);

int scene_setup(void **state)
{
	memset(&the_scene, 0, sizeof(the_scene));
	*state = &the_scene;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *scene = *state;

	end_neighbours();
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		scene_hang_up(scene, i);
	appliance_discard(&scene->appliance);
	return 0;
}

void scene_start(struct scene *scene, const char *dataplane, const char *tenants)
{
	appliance_configure(&scene->appliance, dataplane, tenants);
	appliance_start(&scene->appliance);
}

void scene_end(struct scene *scene)
{
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		scene_hang_up(scene, i);
	appliance_expect_balance(&scene->appliance);
	appliance_stop(&scene->appliance);
}

/* The front-end keeps the pointer, so the path stays in the scene. */
static void scene_path(struct scene *scene, unsigned i, const char *name)
{
	char path[sizeof(scene->path[i])];

	snprintf(path, sizeof(path), "%s/%s", scene->appliance.directory, name);
	memcpy(scene->path[i], path, sizeof(path));
}

struct tp_frontend *scene_attach(struct scene *scene, unsigned i, const char *name,
	const struct tp_frontend_settings *settings)
{
	struct tp_frontend_settings own =
		settings != NULL ? *settings : (struct tp_frontend_settings){.features = MERGEABLE};
	struct tp_error error = {""};

	scene_path(scene, i, name);
	own.path = scene->path[i];
	scene->guest[i] = tp_frontend_attach(&own, &error);
	if (scene->guest[i] == NULL && own.huge_pages) {
		print_message("%s; 4 KiB pages instead\n", error.text);
		own.huge_pages = false;
		scene->guest[i] = tp_frontend_attach(&own, &error);
	}
	if (scene->guest[i] == NULL)
		fail_msg("%s: %s", name, error.text);
	return scene->guest[i];
}

void scene_hang_up(struct scene *scene, unsigned i)
{
	tp_frontend_free(scene->guest[i]);
	scene->guest[i] = NULL;
}

static void put_mac(uint8_t *bytes, unsigned number)
{
	memset(bytes, number > 0xff ? 0xff : 0, 6);
	if (number > 0xff)
		return;
	bytes[0] = 2;
	bytes[5] = (uint8_t)number;
}

void frame_make(uint8_t *frame, size_t length, unsigned to, unsigned from, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;

	put_mac(frame, to);
	put_mac(frame + 6, from);
	frame[12] = 0x88; /* an EtherType for experiments (IEEE 802) */
	frame[13] = 0xb5;
	for (size_t i = 14; i < length; i++) {
		state = state * 1664525u + 1013904223u;
		frame[i] = (uint8_t)(state >> 24);
	}
}

void guest_send(struct tp_frontend *guest, unsigned queue_pair, const uint8_t *frame, size_t length)
{
	uint64_t deadline = tp_now_ns() + WAIT_MS * 1000000ull;
	struct tp_error error = {""};
	int status;

	do {
		status = tp_frontend_send(guest, queue_pair, NULL, frame, length, &error);
		if (status == -EAGAIN)
			usleep(50);
	} while (status == -EAGAIN && tp_now_ns() < deadline);
	if (status < 0)
		fail_msg("send %zu bytes: %s", length,
			error.text[0] != '\0' ? error.text : strerror(-status));
}

void guest_say(struct tp_frontend *guest, unsigned to, unsigned from, uint32_t seed)
{
	uint8_t frame[SAID_BYTES];

	frame_make(frame, sizeof(frame), to, from, seed);
	guest_send(guest, 0, frame, sizeof(frame));
}

void guest_expect(
	struct tp_frontend *guest, unsigned queue_pair, const uint8_t *frame, size_t length)
{
	static uint8_t received[65536];
	struct tp_error error = {""};
	int count = tp_frontend_receive(
		guest, queue_pair, NULL, received, sizeof(received), WAIT_MS, &error);

	if (count == -EAGAIN)
		fail_msg("%zu bytes did not arrive", length);
	if (count < 0)
		fail_msg("%zu bytes: %s", length, error.text);
	assert_int_equal(count, length);
	assert_memory_equal(received, frame, length);
}

void guest_hear(struct tp_frontend *guest, unsigned to, unsigned from, uint32_t seed)
{
	uint8_t frame[SAID_BYTES];

	frame_make(frame, sizeof(frame), to, from, seed);
	guest_expect(guest, 0, frame, sizeof(frame));
}

void guest_expect_silence(struct tp_frontend *guest)
{
	uint8_t frame[SAID_BYTES];
	struct tp_error error = {""};
	int count = tp_frontend_receive(guest, 0, NULL, frame, sizeof(frame), 0, &error);

	if (count != -EAGAIN)
		fail_msg("%d bytes came to whom they were not meant for", count);
}

void guest_wait_completed(struct tp_frontend *guest)
{
	uint64_t deadline = tp_now_ns() + WAIT_MS * 1000000ull;
	struct tp_error error = {""};

	for (unsigned pair = 0; pair < guest->settings.queue_pairs; pair++) {
		int out;

		while ((out = tp_frontend_reclaim(guest, pair, &error)) > 0 &&
			tp_now_ns() < deadline)
			usleep(50);
		if (out != 0)
			fail_msg("%d frames are not completed: %s", out, error.text);
	}
}

/* --- neighbours --- */

#define WINDOW 64 /* frames on their way at a time; a ring holds more */

static struct neighbours neighbours;

static void find_wrong(const char *format, uint64_t a, uint64_t b)
{
	if (neighbours.wrong[0] == '\0')
		snprintf(neighbours.wrong, sizeof(neighbours.wrong), format, (unsigned long long)a,
			(unsigned long long)b);
}

static size_t numbered_frame(uint8_t *frame, unsigned to, unsigned from, uint64_t number)
{
	size_t length = 60 + number * 97 % 1400;

	frame_make(frame, length, to, from, (uint32_t)number);
	memcpy(frame + 14, &number, sizeof(number));
	return length;
}

/* Take what has come. @return frames taken. */
static unsigned take(unsigned from, uint64_t *expected)
{
	struct tp_frontend *guest = neighbours.guest[!from];
	uint8_t frame[1600], right[1600];
	struct tp_error error = {""};
	unsigned taken = 0;
	int count;

	while ((count = tp_frontend_receive(guest, 0, NULL, frame, sizeof(frame), 0, &error)) > 0) {
		size_t length;
		uint64_t number = 0;

		if (frame[0] & 1) /* a broadcast of somebody else's */
			continue;
		length = numbered_frame(
			right, neighbours.mac[!from], neighbours.mac[from], *expected);
		memcpy(&number, frame + 14, sizeof(number));
		if (number != *expected)
			find_wrong("frame %llu came instead of %llu", number, *expected);
		else if ((size_t)count != length || memcmp(frame, right, length) != 0)
			find_wrong("frame %llu of %llu bytes came changed", number, length);
		(*expected)++;
		taken++;
	}
	if (count != -EAGAIN)
		snprintf(neighbours.wrong, sizeof(neighbours.wrong), "%s", error.text);
	return taken;
}

static bool give(unsigned from, uint64_t *next)
{
	uint8_t frame[1600];
	size_t length = numbered_frame(frame, neighbours.mac[!from], neighbours.mac[from], *next);
	struct tp_error error = {""};
	int status = tp_frontend_send(neighbours.guest[from], 0, NULL, frame, length, &error);

	if (status == 0)
		(*next)++;
	else if (status != -EAGAIN)
		snprintf(neighbours.wrong, sizeof(neighbours.wrong), "%s", error.text);
	return status == 0;
}

static void *exchange(void *argument)
{
	uint64_t sent[2] = {0}, received[2] = {0};
	uint64_t last = tp_now_ns();

	(void)argument;
	while (neighbours.wrong[0] == '\0') {
		bool stopping = atomic_load(&neighbours.stop);
		unsigned moved = 0;

		if (stopping && sent[0] == received[0] && sent[1] == received[1])
			break;
		for (unsigned from = 0; from < 2; from++) {
			while (!stopping && sent[from] - received[from] < WINDOW &&
				give(from, &sent[from]))
				;
			moved += take(from, &received[from]);
		}
		atomic_fetch_add(&neighbours.exchanged, moved);
		if (moved > 0)
			last = tp_now_ns();
		else if (tp_now_ns() - last > WAIT_MS * 1000000ull)
			find_wrong("%llu frames sent, %llu arrived, none for 5 s",
				sent[0] + sent[1], received[0] + received[1]);
		else
			usleep(100); /* others need this CPU as well */
	}
	return NULL;
}

void neighbours_start(struct scene *scene)
{
	memset(&neighbours, 0, sizeof(neighbours));
	for (unsigned i = 0; i < 2; i++) {
		neighbours.guest[i] = scene->guest[i];
		neighbours.mac[i] = i + 1;
	}
	assert_int_equal(pthread_create(&neighbours.thread, NULL, exchange, NULL), 0);
	neighbours.running = true;
}

void neighbours_expect_well(void)
{
	uint64_t before = atomic_load(&neighbours.exchanged);

	for (int i = 0; i < WAIT_MS; i++) {
		if (neighbours.wrong[0] != '\0')
			fail_msg("neighbours: %s", neighbours.wrong);
		if (atomic_load(&neighbours.exchanged) > before)
			return;
		usleep(1000);
	}
	fail_msg("neighbours exchange nothing any more");
}

static void end_neighbours(void)
{
	if (!neighbours.running)
		return;
	atomic_store(&neighbours.stop, true);
	pthread_join(neighbours.thread, NULL);
	neighbours.running = false;
}

void neighbours_stop(void)
{
	neighbours_expect_well();
	end_neighbours();
	if (neighbours.wrong[0] != '\0')
		fail_msg("neighbours: %s", neighbours.wrong);
}
