/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest whose network stack is this kernel's: what the switch gives it comes out of a TAP
 * interface, and what is sent there it gives to the switch. In a network namespace of its own it is
 * like any Linux guest, in milliseconds.
 *
 *   tap_guest SOCKET TAP-NAME MAC
 *
 * A line "announce MAC COUNT" on its standard input has it ask so many times to be announced by
 * that MAC, as a guest's process does that has come from another host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/frontend.h"

#define FRAME_MAX 9216

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "FAIL: %s: %s\n", what, why);
	exit(1);
}

static int open_tap(const char *name, const char *mac)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	uint8_t *bytes = (uint8_t *)request.ifr_hwaddr.sa_data;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		fail(name, strerror(errno));
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
		    &bytes[4], &bytes[5]) != 6 ||
		ioctl(fd, SIOCSIFHWADDR, &request) < 0)
		fail(mac, "no MAC, or not to be had");
	return fd;
}

/* @return false if the ring is full: what the kernel sends waits in the TAP. */
static bool tap_to_switch(struct tp_frontend *guest, int tap)
{
	static uint8_t frame[FRAME_MAX];
	struct tp_error error;
	ssize_t length;

	if (tp_frontend_reclaim(guest, 0, &error) >= guest->ring[tp_transmit_ring(0)].slots)
		return false;
	length = read(tap, frame, sizeof(frame));
	if (length < 0)
		return false;
	if (tp_frontend_send(guest, 0, NULL, frame, (size_t)length, &error) == -EPROTO)
		fail("send", error.text);
	return true;
}

static bool switch_to_tap(struct tp_frontend *guest, int tap)
{
	static uint8_t frame[FRAME_MAX];
	struct tp_error error;
	int length = tp_frontend_receive(guest, 0, NULL, frame, sizeof(frame), 0, &error);

	if (length == -EPROTO)
		fail("receive", error.text);
	/* While the interface is down the kernel takes nothing: so would a guest. */
	return length > 0 && (write(tap, frame, (size_t)length) >= 0 || errno != EAGAIN);
}

static void announce(struct tp_frontend *guest, const uint8_t mac[6], unsigned count)
{
	struct tp_error error;

	while (count-- > 0) {
		struct vhost_user_message message = {
			.header = {.request = VHOST_USER_SEND_RARP, .size = sizeof(uint64_t)}};

		memcpy(&message.payload.u64, mac, 6);
		if (tp_frontend_request(guest, &message, NULL, 0, &error) < 0)
			fail("announce", error.text);
	}
	printf("announced\n");
	fflush(stdout);
}

static void obey(struct tp_frontend *guest)
{
	char line[128];
	uint8_t mac[6];
	unsigned count;
	ssize_t length = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (length <= 0)
		return;
	line[length] = '\0';
	if (sscanf(line, "announce %hhx:%hhx:%hhx:%hhx:%hhx:%hhx %u", &mac[0], &mac[1], &mac[2],
		    &mac[3], &mac[4], &mac[5], &count) != 7)
		fail(line, "no command");
	announce(guest, mac, count);
}

static void wait_for_work(struct tp_frontend *guest, int tap)
{
	struct pollfd poll_set[] = {
		{.fd = tap, .events = POLLIN},
		{.fd = guest->ring[tp_receive_ring(0)].call_fd, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	eventfd_t calls;

	poll(poll_set, 3, 20);
	if (poll_set[1].revents & POLLIN)
		eventfd_read(poll_set[1].fd, &calls);
	if (poll_set[2].revents & POLLIN)
		obey(guest);
}

static bool move_both_ways(struct tp_frontend *guest, int tap)
{
	bool out = tap_to_switch(guest, tap);
	bool in = switch_to_tap(guest, tap);

	return out || in;
}

int main(int argc, char **argv)
{
	struct tp_frontend_settings settings = {
		.ring_size = 256,
		.buffer_size = FRAME_MAX,
		.features = 1ull << VIRTIO_NET_F_MRG_RXBUF,
		.interrupts = true,
	};
	struct tp_frontend *guest;
	struct tp_error error;
	int tap;

	if (argc != 4) {
		fprintf(stderr, "usage: tap_guest SOCKET TAP-NAME MAC\n");
		return 2;
	}
	settings.path = argv[1];
	tap = open_tap(argv[2], argv[3]);
	guest = tp_frontend_attach(&settings, &error);
	if (guest == NULL)
		fail(argv[1], error.text);
	printf("attached\n");
	fflush(stdout);
	while (!tp_frontend_hung_up(guest)) {
		unsigned moved = 0;

		while (moved < 64 && move_both_ways(guest, tap))
			moved++;
		if (moved == 0)
			wait_for_work(guest, tap);
	}
	tp_frontend_free(guest);
	return 0;
}
