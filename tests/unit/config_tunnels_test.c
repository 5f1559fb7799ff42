/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

/*
 * Uplinks with tunnels and tags, and the tenants' networks on them: what is read, and what every
 * mistake is answered with.
 */

#define UPLINK(words)   "'uplinks':{'wan0':{'device':'net_tap0'" words "}}"
#define FOUR            ",'vxlan':{'address':'192.0.2.1/24'}"
#define ROUTED          ",'vxlan':{'address':'192.0.2.1/24','gateway':'192.0.2.254'}"
#define SIX             ",'vxlan':{'address':'2001:db8::1/64','port':4790,'vlan':7}"
#define NET(words)      "{'network':{'uplink':'wan0'," words "}}"
#define ON(uplink, net) FILE_WITH(uplink, "'a':" net)
#define FILE_WITH(uplink, tenants)                                                                 \
	"{'classes':{" GOLD "}," UPLINK(uplink) ",'tenants':{" tenants "}}"
#define TO(address) "'vni':5000,'remotes':[{'address':'" address "'}]"

static void test_a_tunnel(void **state)
{
	struct tp_config *config = accepted(ON(FOUR,
		NET("'vni':5000,'remotes':[{'address':'192.0.2.7','macs':['02:00:00:00:00:0a'],"
		    "'flood':false},{'address':'192.0.2.8'}]")));
	const struct tp_network_config *network = &config->tenants[0].network;

	(void)state;
	assert_int_equal(network->kind, TP_NETWORK_TUNNEL);
	assert_int_equal(network->vni, 5000);
	assert_int_equal(network->remote_count, 2);
	assert_int_equal(network->remotes[0].mac_count, 1);
	assert_int_equal(network->remotes[0].macs[0][5], 0x0a);
	assert_false(network->remotes[0].flood);
	assert_true(network->remotes[1].flood);
	assert_int_equal(network->remotes[1].address.bytes[3], 8);
	assert_int_equal(config->uplinks[0].underlay.port, 4789);
	assert_int_equal(config->uplinks[0].underlay.prefix, 24);
	assert_int_equal(config->uplinks[0].offloads, TP_OFFLOAD_AUTO);
	assert_int_equal(tp_config_network_mtu(config, &config->tenants[0]), 1450);
	tp_config_free(config);
}

static void test_a_tunnel_over_ipv6(void **state)
{
	struct tp_config *config = accepted(ON(SIX ",'mtu':9000", NET(TO("2001:db8::7"))));

	(void)state;
	assert_int_equal(config->uplinks[0].underlay.address.length, 16);
	assert_int_equal(config->uplinks[0].underlay.port, 4790);
	assert_int_equal(config->uplinks[0].underlay.vlan, 7);
	assert_int_equal(tp_config_network_mtu(config, &config->tenants[0]), 8930);
	tp_config_free(config);
}

static void test_a_remote_behind_the_gateway(void **state)
{
	struct tp_config *config = accepted(ON(ROUTED, NET(TO("198.51.100.7"))));

	(void)state;
	assert_int_equal(config->uplinks[0].underlay.gateway.bytes[3], 254);
	tp_config_free(config);
	tp_config_free(accepted(ON(",'vxlan':{'address':'2001:db8::1/64','gateway':'fe80::1'}",
		NET(TO("2001:db8:1::7")))));
	tp_config_free(accepted(ON(",'vxlan':{'address':'192.0.2.0/31'}", NET(TO("192.0.2.1")))));
}

#define KIND_A "'a':" NET("'vlan':100")
#define KIND_B ",'b':" NET("'trunk':[1,'200-209',4094]")
#define KIND_C ",'c':" NET("'service_vlan':300")
#define KIND_D ",'d':" NET("'service_vlan':301,'vlan':100")
#define KIND_E ",'e':" NET("'service_vlan':302,'trunk':[5]")
#define KINDS  KIND_A KIND_B KIND_C KIND_D KIND_E ",'f':{}"

static void test_kinds(void **state)
{
	struct tp_config *config = accepted(FILE_WITH("", KINDS));
	const uint64_t *trunk = config->tenants[1].network.trunk;
	unsigned allowed = 0;

	(void)state;
	assert_int_equal(config->tenants[0].network.kind, TP_NETWORK_VLAN);
	assert_int_equal(config->tenants[1].network.kind, TP_NETWORK_TRUNK);
	assert_int_equal(config->tenants[2].network.kind, TP_NETWORK_STACKED);
	assert_int_equal(config->tenants[3].network.kind, TP_NETWORK_STACKED);
	assert_int_equal(config->tenants[4].network.kind, TP_NETWORK_STACKED);
	assert_int_equal(config->tenants[5].network.kind, TP_NETWORK_NONE);
	for (unsigned i = 0; i < 64; i++)
		allowed += (unsigned)__builtin_popcountll(trunk[i]);
	assert_int_equal(allowed, 12);
	assert_true(trunk[209 / 64] >> (209 % 64) & 1);
	assert_int_equal(tp_config_network_mtu(config, &config->tenants[0]), 1500);
	assert_int_equal(tp_config_network_mtu(config, &config->tenants[5]), 0);
	tp_config_free(config);
}

static void test_offloads(void **state)
{
	struct tp_config *config = accepted(ON(",'offloads':'none'", NET("'vlan':1")));

	(void)state;
	assert_int_equal(config->uplinks[0].offloads, TP_OFFLOAD_NONE);
	tp_config_free(config);
	config = accepted(ON(",'offloads':['rss','vlan_insert']", NET("'vlan':1")));
	assert_int_equal(config->uplinks[0].offloads, TP_OFFLOAD_RSS | TP_OFFLOAD_VLAN_INSERT);
	tp_config_free(config);
}

static void test_mistakes_in_tags(void **state)
{
	static const struct refusal refusals[] = {
		{ON("", NET("'vlan':0")), "$.tenants.a.network.vlan: found 0"},
		{ON("", NET("'vlan':4095")), "accepted: a whole number from 1 to 4094"},
		{ON("", NET("'service_vlan':4095")), "network.service_vlan: found 4095"},
		{ON("", NET("'trunk':[]")), "network.trunk: found "},
		{ON("", NET("'trunk':[0]")), "network.trunk[0]: found 0"},
		{ON("", NET("'trunk':[1,4095]")), "network.trunk[1]: found 4095"},
		{ON("", NET("'trunk':['9-8']")), "network.trunk[0]: found \"9-8\""},
		{ON("", NET("'trunk':['1-4095']")), "network.trunk[0]: found \"1-4095\""},
		{ON("", NET("'trunk':['1-2x']")), "network.trunk[0]: found"},
		{ON("", NET("'trunk':['-1-2']")), "network.trunk[0]: found"},
		{ON("", NET("'trunk':[1],'vlan':1")), "found \"trunk\" beside \"vlan\""},
		{ON(FOUR, NET("'vni':1,'vlan':1")), "found \"vlan\" beside \"vni\""},
		{ON(FOUR, NET("'vni':1,'service_vlan':1")), "\"service_vlan\" beside \"vni\""},
		{FILE_WITH("", "'a':" NET("'trunk':['1-9']") ",'b':" NET("'vlan':9")),
			"$.tenants.b.network.vlan: found 9, which tenant a has on uplink wan0 too"},
		{FILE_WITH("", "'a':" NET("'vlan':9") ",'b':" NET("'trunk':['1-100']")),
			"$.tenants.b.network.trunk: found 9, which tenant a has"},
		{FILE_WITH("", "'a':" NET("'vlan':9") ",'b':" NET("'service_vlan':9")),
			"$.tenants.b.network.service_vlan: found 9, which tenant a has"},
		{ON(SIX, NET("'vlan':7")),
			"$.tenants.a.network.vlan: found 7, which its \"vxlan\" has"},
		{ON(FOUR, "{'network':{'uplink':'wan0'}}"),
			"$.tenants.a.network: found an untagged network on uplink wan0, which its "
			"\"vxlan\" has too"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static void test_mistakes_in_tunnels(void **state)
{
	static const struct refusal refusals[] = {
		{ON(FOUR, NET("'vni':0")), "network.vni: found 0"},
		{ON(FOUR, NET("'vni':16777216")), "network.vni: found 16777216"},
		{ON("", NET("'vni':1")), "network.vni: found a VNI on uplink wan0, which has no "
					 "address for tunnels"},
		{FILE_WITH(FOUR, "'a':" NET("'vni':5") ",'b':" NET("'vni':5")),
			"$.tenants.b.network.vni: found 5, which tenant a has on uplink wan0 too"},
		{ON(FOUR, NET("'remotes':[{'address':'192.0.2.7'}]")),
			"found \"remotes\" without \"vni\""},
		{ON(FOUR, NET("'vni':1,'remotes':[]")), "network.remotes: found "},
		{ON(FOUR, NET("'vni':1,'remotes':[{}]")), "network.remotes[0].address: found "},
		{ON(FOUR, NET(TO("192.0.2.1"))),
			"network.remotes[0].address: found 192.0.2.1, which is this appliance"},
		{ON(FOUR, NET(TO("2001:db8::7"))), "found 2001:db8::7, but uplink wan0 has the "
						   "address 192.0.2.1"},
		{ON(FOUR, NET(TO("198.51.100.7"))),
			"found 198.51.100.7, which is not in 192.0.2.1/24"},
		{ON(FOUR, NET(TO("192.0.2.255"))), "the first or the last address"},
		{ON(FOUR, NET(TO("224.0.0.1"))), "address: found \"224.0.0.1\""},
		{ON(FOUR, NET(TO("192.0.2"))), "address: found \"192.0.2\""},
		{ON(FOUR, NET("'vni':1,'remotes':[{'address':'192.0.2.7'},"
			      "{'address':'192.0.2.7'}]")),
			"remotes[1].address: found 192.0.2.7, which "
			"$.tenants.a.network.remotes[0]"},
		{ON(FOUR, NET("'vni':1,'remotes':[{'address':'192.0.2.7','macs':"
			      "['03:00:00:00:00:0a']}]")),
			"remotes[0].macs[0]: found \"03:00:00:00:00:0a\""},
		{ON(FOUR, NET("'vni':1,'remotes':[{'address':'192.0.2.7','macs':"
			      "['02:00:00:00:00:0a']},{'address':'192.0.2.8','macs':"
			      "['02:00:00:00:00:0a']}]")),
			"found 02:00:00:00:00:0a twice, among the remotes"},
		{ON(FOUR, "{'network':{'uplink':'wan0','vni':1,'remotes':[{'address':'192.0.2.7',"
			  "'macs':['02:00:00:00:00:01']}]},'interfaces':{" VM("1") "}}"),
			"remotes[0].macs: found 02:00:00:00:00:01 twice, an interface"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static void test_mistakes_in_uplinks(void **state)
{
	static const struct refusal refusals[] = {
		{ON(",'vxlan':{}", "{}"), "$.uplinks.wan0.vxlan.address: found "},
		{ON(",'vxlan':{'address':'192.0.2.1'}", "{}"), "vxlan.address: found"},
		{ON(",'vxlan':{'address':'192.0.2.1/33'}", "{}"), "vxlan.address: found"},
		{ON(",'vxlan':{'address':'192.0.2.1/0'}", "{}"), "vxlan.address: found"},
		{ON(",'vxlan':{'address':'192.0.2.1/24x'}", "{}"), "vxlan.address: found"},
		{ON(",'vxlan':{'address':'192.0.2.0/24'}", "{}"), "neither the first nor the last"},
		{ON(",'vxlan':{'address':'::/64'}", "{}"), "vxlan.address: found"},
		{ON(",'vxlan':{'address':'ff02::1/64'}", "{}"), "vxlan.address: found"},
		{ON(",'vxlan':{'address':'192.0.2.1/24','port':0}", "{}"), "vxlan.port: found 0"},
		{ON(",'vxlan':{'address':'192.0.2.1/24','vlan':4095}", "{}"), "vxlan.vlan: found"},
		{ON(",'vxlan':{'address':'192.0.2.1/24','gateway':'198.51.100.1'}", "{}"),
			"vxlan.gateway: found \"198.51.100.1\" (string); accepted: a station in"},
		{ON(",'vxlan':{'address':'192.0.2.1/24','gateway':'192.0.2.1'}", "{}"),
			"accepted: another address than our own"},
		{ON(",'vxlan':{'address':'192.0.2.1/24','gateway':'fe80::1'}", "{}"),
			"of the same family"},
		{ON(",'offloads':'all'", "{}"), "$.uplinks.wan0.offloads: found \"all\""},
		{ON(",'offloads':['tso']", "{}"), "offloads[0]: found \"tso\""},
		{ON(",'offloads':['rss','rss']", "{}"), "offloads[1]: found \"rss\""},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
}

static void test_mistakes_in_lengths(void **state)
{
	static const struct refusal refusals[] = {
		{ON(FOUR, NET("'vni':1,'mtu':1451")),
			"network.mtu: found packets of 1451 bytes for uplink wan0, whose MTU of "
			"1500 leaves 1450 to frames in VXLAN; accepted: at most that, or an uplink "
			"with \"mtu\": 1501 or more"},
		{ON(SIX, NET("'vni':1,'mtu':1431")), "leaves 1430"},
		{ON(FOUR, NET("'vni':1,'trunk':[1],'mtu':1447")), "leaves 1446"},
		{ON("", NET("'vlan':1,'mtu':1501")), "MTU of 1500 leaves 1500; accepted"},
		{ON(FOUR ",'mtu':100", NET("'vni':1")), "network.vni: found packets of 68 bytes"},
	};

	(void)state;
	refuse_all(refusals, sizeof(refusals) / sizeof(refusals[0]));
	tp_config_free(accepted(ON(FOUR, NET("'vni':1,'mtu':1450"))));
	tp_config_free(accepted(ON("", NET("'vlan':1,'mtu':1500"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tunnel),
		cmocka_unit_test(test_a_tunnel_over_ipv6),
		cmocka_unit_test(test_a_remote_behind_the_gateway),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_offloads),
		cmocka_unit_test(test_mistakes_in_tags),
		cmocka_unit_test(test_mistakes_in_tunnels),
		cmocka_unit_test(test_mistakes_in_uplinks),
		cmocka_unit_test(test_mistakes_in_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
