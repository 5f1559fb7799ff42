/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests by the hundred: attach them all at once, then pass frames between random pairs, both ways,
 * every byte compared, and see that nobody else received anything.
 *
 *   attach_guests SOCKET-PATTERN-WITH-%d COUNT FIRST-MAC ROUNDS [sequential]
 *
 * Guest i is at the i-th socket and has the first MAC plus i.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "frontend/frontend.h"

#define FRAME_MIN  60
#define FRAME_MAX  1514
#define WAIT_MS    2000
#define SETTLE_US  200000
#define PATH_BYTES 108

static struct tp_frontend **guests;
static unsigned count;
static uint8_t first_mac[6];

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("FAIL: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static void guest_mac(uint8_t mac[6], unsigned guest)
{
	uint32_t low = (uint32_t)first_mac[3] << 16 | (uint32_t)first_mac[4] << 8 | first_mac[5];

	low += guest;
	memcpy(mac, first_mac, 3);
	mac[3] = (uint8_t)(low >> 16);
	mac[4] = (uint8_t)(low >> 8);
	mac[5] = (uint8_t)low;
}

static size_t make_frame(uint8_t *frame, unsigned from, unsigned to)
{
	size_t length = FRAME_MIN + (size_t)(random() % (FRAME_MAX - FRAME_MIN + 1));

	guest_mac(frame, to);
	guest_mac(frame + 6, from);
	frame[12] = 0x88; /* an EtherType for experiments (IEEE 802) */
	frame[13] = 0xb5;
	for (size_t i = 14; i < length; i++)
		frame[i] = (uint8_t)random();
	return length;
}

static void pass_frame(unsigned from, unsigned to)
{
	uint8_t frame[FRAME_MAX], received[FRAME_MAX + 1];
	size_t length = make_frame(frame, from, to);
	struct tp_error error = {{0}};
	int status = tp_frontend_send(guests[from], 0, NULL, frame, length, &error);

	if (status < 0)
		fail("guest %u cannot send: %s", from,
			status == -EPROTO ? error.text : strerror(-status));
	status = tp_frontend_receive(
		guests[to], 0, NULL, received, sizeof(received), WAIT_MS, &error);
	if (status == -EAGAIN)
		fail("%zu bytes from guest %u to %u did not arrive", length, from, to);
	if (status < 0)
		fail("guest %u: %s", to, error.text);
	if ((size_t)status != length || memcmp(frame, received, length) != 0)
		fail("%zu bytes from guest %u to %u arrived changed", length, from, to);
}

static void expect_silence(void)
{
	uint8_t frame[FRAME_MAX];
	struct tp_error error = {{0}};

	for (unsigned i = 0; i < count; i++) {
		int status =
			tp_frontend_receive(guests[i], 0, NULL, frame, sizeof(frame), 0, &error);

		if (status != -EAGAIN)
			fail("guest %u received what was not for it (%d bytes)", i, status);
		if (tp_frontend_hung_up(guests[i]))
			fail("guest %u: the switch hung up", i);
	}
}

static void attach(const char *pattern, bool pipelined)
{
	const char *place = strstr(pattern, "%d");
	struct tp_frontend_settings *settings = calloc(count, sizeof(*settings));
	char(*path)[PATH_BYTES] = calloc(count, sizeof(*path));
	struct tp_error error;
	uint64_t elapsed;

	guests = calloc(count, sizeof(*guests));
	if (place == NULL || settings == NULL || path == NULL || guests == NULL)
		fail("no %%d in %s, or no memory", pattern);
	for (unsigned i = 0; i < count; i++) {
		snprintf(path[i], PATH_BYTES, "%.*s%u%s", (int)(place - pattern), pattern, i,
			place + 2);
		settings[i] = (struct tp_frontend_settings){.path = path[i],
			.ring_size = 64,
			.features = 1ull << VIRTIO_NET_F_MRG_RXBUF};
	}
	if (tp_frontend_attach_many(settings, count, guests, pipelined, &elapsed, &error) < 0)
		fail("%s", error.text);
	printf("%u guests attached in %.0f ms, %.0f a second\n", count, (double)elapsed / 1e6,
		count / ((double)elapsed / 1e9));
	for (unsigned i = 0; i < count; i++)
		guests[i]->settings.path = "guest";
	free(path);
	free(settings);
}

int main(int argc, char **argv)
{
	unsigned rounds;

	if (argc < 5 ||
		sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &first_mac[0], &first_mac[1],
			&first_mac[2], &first_mac[3], &first_mac[4], &first_mac[5]) != 6) {
		fprintf(stderr, "usage: attach_guests PATTERN%%d COUNT FIRST-MAC ROUNDS "
				"[sequential]\n");
		return 2;
	}
	count = (unsigned)atoi(argv[2]);
	rounds = (unsigned)atoi(argv[4]);
	if (count < 2)
		fail("at least two guests");
	attach(argv[1], argc == 5);
	usleep(SETTLE_US);
	srandom(1);
	for (unsigned i = 0; i < rounds; i++) {
		unsigned from = (unsigned)random() % count;
		unsigned to = (from + 1 + (unsigned)random() % (count - 1)) % count;

		pass_frame(from, to);
		pass_frame(to, from);
	}
	/* Every guest once: the first and the last too, whatever chance says. */
	for (unsigned i = 0; i < count; i++)
		pass_frame(i, (i + 1) % count);
	expect_silence();
	tp_frontend_detach_many(guests, count);
	free(guests);
	printf("%u frames passed\n", 2 * rounds + count);
	return 0;
}
