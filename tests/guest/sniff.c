/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The guest's packet capture: sniff INTERFACE SECONDS [-v] prints, when the time is over or at
 * SIGTERM, the number of frames for each source MAC seen, and then the total. With -v each frame's
 * first bytes are printed as well.
 * Frames that this guest sends itself are not counted.
 */

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SOURCES_MAX 256

struct source {
	uint8_t mac[6];
	unsigned long frames;
};

static struct source sources[SOURCES_MAX];
static unsigned source_count;
static unsigned long total;
static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static void print_mac(const uint8_t *mac)
{
	printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void count_source(const uint8_t *mac)
{
	unsigned i = 0;

	total++;
	while (i < source_count && memcmp(sources[i].mac, mac, 6) != 0)
		i++;
	if (i == SOURCES_MAX)
		return;
	if (i == source_count)
		memcpy(sources[source_count++].mac, mac, 6);
	sources[i].frames++;
}

static void print_frame(const uint8_t *frame, size_t length)
{
	printf("frame %zu ", length);
	for (size_t i = 0; i < length && i < 64; i++)
		printf("%02x", frame[i]);
	printf("\n");
}

static int open_capture(const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface)};
	struct packet_mreq everything = {
		.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything,
			sizeof(everything)) != 0) {
		perror(interface);
		return -1;
	}
	return fd;
}

static void capture_one(int fd, int verbose)
{
	uint8_t frame[65536];
	struct sockaddr_ll from;
	socklen_t from_size = sizeof(from);
	ssize_t length =
		recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &from_size);

	if (length < (ssize_t)sizeof(struct ether_header) || from.sll_pkttype == PACKET_OUTGOING)
		return;
	count_source(frame + 6);
	if (verbose)
		print_frame(frame, (size_t)length);
}

int main(int argc, char **argv)
{
	struct pollfd wait = {.events = POLLIN};
	time_t end;

	if (argc < 3) {
		fprintf(stderr, "usage: sniff INTERFACE SECONDS [-v]\n");
		return 2;
	}
	wait.fd = open_capture(argv[1]);
	if (wait.fd < 0)
		return 1;
	end = time(NULL) + atoi(argv[2]);
	signal(SIGTERM, stop);
	while (!stopped && time(NULL) < end) {
		if (poll(&wait, 1, 100) > 0)
			capture_one(wait.fd, argc > 3);
	}
	for (unsigned i = 0; i < source_count; i++) {
		print_mac(sources[i].mac);
		printf(" %lu\n", sources[i].frames);
	}
	printf("total %lu\n", total);
	return 0;
}
