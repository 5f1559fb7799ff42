/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics for people, in testpmd's layout, and below it what testpmd does not measure. */
#include <inttypes.h>
#include <stdio.h>

#include "guest.h"

#define FEW 16 /* more devices than that are shown with --per-device alone */

static void rates_since(
	struct guest *guest, unsigned device, const struct tp_engine_counts *now, double rates[4])
{
	const struct tp_engine_counts *before = &guest->shown[device];
	double time = now_seconds(), passed = time - guest->shown_at[device];

	rates[0] = rates[1] = rates[2] = rates[3] = 0;
	/* Cleared meanwhile: nothing to compare with. */
	if (guest->shown_at[device] > 0 && passed > 0 && now->rx_frames >= before->rx_frames &&
		now->tx_frames >= before->tx_frames) {
		rates[0] = (double)(now->rx_frames - before->rx_frames) / passed;
		rates[1] = 8 * (double)(now->rx_bytes - before->rx_bytes) / passed;
		rates[2] = (double)(now->tx_frames - before->tx_frames) / passed;
		rates[3] = 8 * (double)(now->tx_bytes - before->tx_bytes) / passed;
	}
	guest->shown[device] = *now;
	guest->shown_at[device] = time;
}

static void port_stats(struct guest *guest, unsigned device)
{
	struct tp_engine_counts counts;
	double rates[4];

	tp_engine_device_counts(guest->engine, device, &counts);
	rates_since(guest, device, &counts, rates);
	printf("\n  ######################## NIC statistics for port %-2u "
	       "########################\n",
		device);
	printf("  RX-packets: %-10" PRIu64 " RX-missed: %-10d RX-bytes:  %-" PRIu64 "\n",
		counts.rx_frames, 0, counts.rx_bytes);
	printf("  RX-errors: %-" PRIu64 "\n",
		counts.rx_strays + counts.rx_corrupt + counts.rx_wrong);
	printf("  RX-nombuf:  %-10d\n", 0);
	printf("  TX-packets: %-10" PRIu64 " TX-errors: %-10" PRIu64 " TX-bytes:  %-" PRIu64 "\n",
		counts.tx_frames, counts.tx_missed, counts.tx_bytes);
	printf("\n  Throughput (since last show)\n");
	printf("  Rx-pps: %12.0f          Rx-bps: %12.0f\n", rates[0], rates[1]);
	printf("  Tx-pps: %12.0f          Tx-bps: %12.0f\n", rates[2], rates[3]);
	printf("  ############################################################################\n");
}

static bool shows_each(const struct guest *guest)
{
	return guest->guests.count <= FEW || guest->options.per_device;
}

static void total_stats(struct guest *guest)
{
	struct tp_engine_report report;

	tp_engine_report(guest->engine, &report);
	printf("\n  %u ports, %u connected: RX-packets %" PRIu64 ", TX-packets %" PRIu64
	       ", %.3f Mpps received (--per-device shows each)\n",
		report.devices, report.connected, report.counts.rx_frames, report.counts.tx_frames,
		report.seconds > 0 ? (double)report.counts.rx_frames / report.seconds / 1e6 : 0);
}

void text_port_stats(struct guest *guest, int device)
{
	if (device >= 0) {
		port_stats(guest, (unsigned)device);
	} else if (!shows_each(guest)) {
		total_stats(guest);
	} else {
		tp_engine_hold(guest->engine);
		for (unsigned i = 0; i < guest->guests.count; i++)
			port_stats(guest, i);
		tp_engine_go_on(guest->engine);
	}
	fflush(stdout);
}

void text_progress(struct guest *guest)
{
	struct tp_engine_report report;

	tp_engine_report(guest->engine, &report);
	fprintf(stderr,
		"  %.0f s: received %.3f Mpps, lost so far at most %" PRIu64 ", p99 %.1f us\n",
		report.seconds, (double)report.counts.rx_frames / report.seconds / 1e6,
		report.order.lost, (double)tp_histogram_quantile(&report.latency, 0.99) / 1e3);
}

static void forward_lines(const struct tp_engine_counts *counts)
{
	uint64_t errors = counts->rx_strays + counts->rx_corrupt + counts->rx_wrong;

	printf("  RX-packets: %-14" PRIu64 " RX-dropped: %-14" PRIu64 "RX-total: %-" PRIu64 "\n",
		counts->rx_frames, errors, counts->rx_frames + errors);
	printf("  TX-packets: %-14" PRIu64 " TX-dropped: %-14" PRIu64 "TX-total: %-" PRIu64 "\n",
		counts->tx_frames, counts->tx_missed, counts->tx_frames + counts->tx_missed);
}

void text_forward_stats(struct guest *guest)
{
	struct tp_engine_report report;

	for (unsigned i = 0; shows_each(guest) && i < guest->guests.count; i++) {
		struct tp_engine_counts counts;

		tp_engine_device_counts(guest->engine, i, &counts);
		printf("\n  ---------------------- Forward statistics for port %-2u "
		       "----------------------\n",
			i);
		forward_lines(&counts);
		printf("  "
		       "--------------------------------------------------------------------------"
		       "--\n");
	}
	tp_engine_report(guest->engine, &report);
	printf("\n  +++++++++++++++ Accumulated forward statistics for all ports"
	       "+++++++++++++++\n");
	forward_lines(&report.counts);
	printf("  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++\n");
	fflush(stdout);
}

void text_latency(const struct tp_engine_report *report)
{
	const struct tp_histogram *latency = &report->latency;

	if (latency->count > 0)
		printf("  latency us     p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f  "
		       "(%" PRIu64 " frames)\n",
			(double)tp_histogram_quantile(latency, 0.5) / 1e3,
			(double)tp_histogram_quantile(latency, 0.9) / 1e3,
			(double)tp_histogram_quantile(latency, 0.99) / 1e3,
			(double)tp_histogram_quantile(latency, 0.999) / 1e3,
			(double)latency->most / 1e3, latency->count);
	else
		printf("  latency        no stamped frame came\n");
	printf("  own stalls     %" PRIu64
	       " beyond 50 us, longest %.1f us, %.2f ms in all: a latency "
	       "below the longest may be our own\n",
		report->stalls, report->stall_longest * 1e6, report->stall_seconds * 1e3);
	fflush(stdout);
}

static void fate(const struct tp_engine_report *during, const struct tp_engine_report *after)
{
	printf("received %" PRIu64 ", lost %" PRIu64 ", p50 %.1f us, p99 %.1f us, Jain %.3f\n",
		after->order.received, after->order.lost,
		(double)tp_histogram_quantile(&during->latency, 0.5) / 1e3,
		(double)tp_histogram_quantile(&during->latency, 0.99) / 1e3, after->jain);
}

static void group_lines(const struct guest *guest)
{
	const struct tp_engine_reports *during = &guest->results.during;
	const struct tp_engine_reports *after = &guest->results.after;
	const char *kind = guest->guests.config != NULL ? "class" : "group";

	for (unsigned i = 0; i < during->groups; i++) {
		const char *name = guest->guests.group_name[i];

		if (name == NULL)
			continue;
		printf("  %s %-8s %u devices, ", kind, name, during->to[i].devices);
		fate(&during->to[i], &after->to[i]);
		if (after->from[i].order.sent == after->to[i].order.sent)
			continue; /* it kept to itself */
		printf("  from %s: ", name);
		fate(&during->from[i], &after->from[i]);
	}
}

static void flow_lines(struct guest *guest)
{
	for (unsigned i = 0; i < tp_engine_flow_count(guest->engine); i++) {
		struct tp_engine_order order;
		unsigned from, to;

		tp_engine_flow_order(guest->engine, i, &order, &from, &to);
		printf("  flow %u to %u: sent %" PRIu64 ", received %" PRIu64 ", lost %" PRIu64
		       ", duplicates %" PRIu64 ", reordered %" PRIu64 ", late %" PRIu64 "\n",
			from, to, order.sent, order.received, order.lost, order.duplicates,
			order.reordered, order.late);
	}
}

void text_run(struct guest *guest)
{
	const struct tp_engine_report *report = &guest->results.during.all;
	const struct tp_engine_report *after = &guest->results.after.all;
	const struct tp_engine_counts *counts = &report->counts;
	const struct tp_engine_order *order = &after->order;
	double seconds = report->seconds > 0 ? report->seconds : 1;

	text_forward_stats(guest);
	printf("\n  measured       %.2f s, our CPU %.0f %% of it; %u of %u devices connected, "
	       "%" PRIu64 " reconnects\n",
		report->seconds, 100 * report->cpu, report->connected, report->devices,
		report->reconnects);
	printf("  received       %.3f Mpps, %.3f Gbit/s; sent %.3f Mpps\n",
		(double)counts->rx_frames / seconds / 1e6,
		8 * (double)counts->rx_bytes / seconds / 1e9,
		(double)counts->tx_frames / seconds / 1e6);
	if (after->flows > 0) {
		printf("  frames         sent %" PRIu64 ", received %" PRIu64 ", lost %" PRIu64
		       " (%.6f %%), still in our rings %" PRIu64 ", not sent in time %" PRIu64 "\n",
			order->sent, order->received, order->lost,
			order->sent > 0 ? 100.0 * (double)order->lost / (double)order->sent : 0,
			order->in_ring, counts->tx_missed);
		printf("  faults         duplicates %" PRIu64 ", reordered %" PRIu64
		       ", late %" PRIu64 ", corrupt %" PRIu64 ", wrong device %" PRIu64
		       ", strays %" PRIu64 "\n",
			order->duplicates, order->reordered, order->late, after->counts.rx_corrupt,
			after->counts.rx_wrong, after->counts.rx_strays);
		printf("  fairness       Jain %.4f over %u flows\n", after->jain, after->flows);
		text_latency(report);
	}
	group_lines(guest);
	if (guest->options.per_flow)
		flow_lines(guest);
	fflush(stdout);
}

void text_search(const struct tp_search_goal *goal, const struct tp_search_result *result)
{
	printf("\n  %s (loss at most %g %%): %.3f Mpps, found in %u trials\n",
		goal->partial ? "PDR" : "NDR", goal->percent, result->rate / 1e6,
		result->trial_count);
	for (unsigned i = 0; result->rate > 0 && i < TP_SEARCH_LATENCIES; i++) {
		const struct tp_histogram *latency = &result->latency[i];

		printf("  at %2.0f %% of it   p50 %.1f us  p99 %.1f us  p99.9 %.1f us  max %.1f "
		       "us; "
		       "own longest stall %.1f us\n",
			100 * result->share[i], (double)tp_histogram_quantile(latency, 0.5) / 1e3,
			(double)tp_histogram_quantile(latency, 0.99) / 1e3,
			(double)tp_histogram_quantile(latency, 0.999) / 1e3,
			(double)latency->most / 1e3, result->stall[i] * 1e6);
	}
	fflush(stdout);
}

void text_config(const struct guest *guest)
{
	const struct options *options = &guest->options;
	char size[80];

	printf("%s packet forwarding - ports=%u - cores=%u - queue pairs=%u - descriptors=%u\n",
		tp_mode_name(guest->load.mode), guest->guests.count, options->threads, options->rxq,
		options->rxd);
	printf("  burst=%u - size=%s - %s rings%s%s\n", guest->load.burst,
		tp_size_text(&guest->load.size, size, sizeof(size)),
		options->packed ? "packed" : "split", options->mergeable ? " - mergeable" : "",
		options->in_order ? " - in order" : "");
	fflush(stdout);
}
