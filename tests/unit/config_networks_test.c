/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

/* Uplinks and the networks of tenants on them. */

#define WAN0 "'wan0':{'device':'net_tap0,iface=w'}"
#define NET(uplinks, tenants)                                                                      \
	"{'classes':{'gold':{'bid':2}},'uplinks':{" uplinks "},'tenants':{" tenants "}}"
#define ON(network)  "{'network':{" network "}}"
#define VLAN(number) ON("'uplink':'wan0','vlan':" number)
#define UNTAGGED     ON("'uplink':'wan0'")

static void uplinks_have_defaults(void **state)
{
	struct tp_config *config = accepted(NET(WAN0, "'a':{}"));
	const struct tp_uplink_config *uplink = &config->uplinks[0];

	(void)state;
	assert_int_equal(config->uplink_count, 1);
	assert_string_equal(uplink->name, "wan0");
	assert_string_equal(uplink->device, "net_tap0,iface=w");
	assert_int_equal(uplink->queues, 0);
	assert_int_equal(uplink->rx_descriptors, 1024);
	assert_int_equal(uplink->tx_descriptors, 1024);
	assert_int_equal(uplink->mtu, 1500);
	assert_int_equal(config->uplink_nap_ns, 50000);
	assert_int_equal(config->tenants[0].network.kind, TP_NETWORK_NONE);
	tp_config_free(config);
}

static void networks_arrive(void **state)
{
	struct tp_config *config =
		accepted(NET("'pci':{'device':'0000:03:00.0','queues':2,'mtu':9000,"
			     "'rx_descriptors':64,'tx_descriptors':128}," WAN0,
			"'a':" VLAN("1") ",'b':" VLAN("4094") ",'c':" UNTAGGED ",'d':" ON(
				"'vlan':1,'uplink':'pci'")));

	(void)state;
	assert_int_equal(config->uplinks[0].queues, 2);
	assert_int_equal(config->uplinks[0].rx_descriptors, 64);
	assert_int_equal(config->uplinks[0].tx_descriptors, 128);
	assert_int_equal(config->uplinks[0].mtu, 9000);
	assert_true(tp_config_device_is_pci(config->uplinks[0].device));
	assert_false(tp_config_device_is_pci(config->uplinks[1].device));
	assert_int_equal(config->tenants[0].network.kind, TP_NETWORK_VLAN);
	assert_int_equal(config->tenants[0].network.vlan, 1);
	assert_int_equal(config->tenants[0].network.uplink_index, 1);
	assert_int_equal(config->tenants[1].network.vlan, 4094);
	assert_int_equal(config->tenants[2].network.kind, TP_NETWORK_UNTAGGED);
	assert_int_equal(config->tenants[3].network.uplink_index, 0);
	tp_config_free(config);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct refusal refusals[] = {
		{NET("'wan0':{}", "'a':{}"), "$.uplinks.wan0.device: found nothing; accepted: a "
					     "device as DPDK names it"},
		{NET("'wan0':{'device':'net_af_xdp0,iface=x'}", "'a':{}"),
			"$.uplinks.wan0.device: found net_af_xdp, whose driver loads a program"},
		{NET("'wan0':{'device':'eth0'}", "'a':{}"),
			"$.uplinks.wan0.device: found \"eth0\" (string); accepted: a device"},
		{NET("'wan 0':{'device':'net_tap0'}", "'a':{}"), "[\"wan 0\"]: found this name"},
		{NET(WAN0 ",'wan1':{'device':'net_tap0'}", "'a':{}"),
			"$.uplinks.wan1.device: found net_tap0, which uplink wan0 has too"},
		{NET(WAN0 ",'wan1':{'device':'net_af_packet0,qpairs=1,iface=w'}", "'a':{}"),
			"$.uplinks.wan1.device: found interface w, which uplink wan0 has too"},
		{NET("'a':{'device':'03:00.A'}", "'a':{}"), "$.uplinks.a.device: found"},
		{NET("'a':{'device':'0A:00.0'},'b':{'device':'0000:0a:00.0,x=1'}", "'a':{}"),
			"$.uplinks.b.device: found 0000:0a:00.0, which uplink a has too"},
		{NET(WAN0, "'a':" ON("'uplink':'wan1'")),
			"$.tenants.a.network.uplink: found \"wan1\" (string); accepted: the name "
			"of an uplink: wan0"},
		{NET(WAN0, "'a':" VLAN("0")), "$.tenants.a.network.vlan: found 0 (number); "
					      "accepted: a whole number from 1 to 4094"},
		{NET(WAN0, "'a':" VLAN("4095")), "$.tenants.a.network.vlan: found 4095"},
		{NET(WAN0, "'a':" VLAN("7") ",'b':" VLAN("8") ",'c':" VLAN("7")),
			"$.tenants.c.network.vlan: found 7, which tenant a has on uplink wan0 too; "
			"accepted: each VLAN once on an uplink"},
		{NET(WAN0, "'a':" UNTAGGED ",'b':" UNTAGGED),
			"$.tenants.b.network: found an untagged network on uplink wan0, which "
			"tenant a has too"},
		{NET(WAN0, "'a':" ON("'uplink':'wan0','tag':1")),
			"$.tenants.a.network.tag: found an unknown key; accepted keys: uplink"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uplinks_have_defaults),
		cmocka_unit_test(networks_arrive),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
