/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"
#include "ctl/offloads.h"

/* From what a file wishes to who does it, for devices of all kinds. */

#define UPLINK(words) "'uplinks':{'wan0':{'device':'net_tap0'" words "}}"
#define FILE_ON(cores, uplink, tenants)                                                            \
	"{'dataplane':{'worker_cores':" cores "},'classes':{" GOLD                                 \
	"}," UPLINK(uplink) ",'tenants':{" tenants "}}"
#define VLAN "'a':{'network':{'uplink':'wan0','vlan':5}}"
#define FOUR ",'vxlan':{'address':'192.0.2.1/24'}"
#define SIX  ",'vxlan':{'address':'2001:db8::1/64'}"
#define VNI  "'a':{'network':{'uplink':'wan0','vni':5}}"

/* Who fulfils a wish; NULL: nobody has it. */
static const char *doer(const char *text, uint32_t can, const char *what)
{
	struct tp_config *config = accepted(text);
	struct tp_wish wishes[TP_WISHES_MAX];
	unsigned count = tp_offloads_plan(config, 0, can, wishes);
	const char *found = NULL;

	assert_true(count <= TP_WISHES_MAX);
	for (unsigned i = 0; i < count; i++) {
		assert_true(wishes[i].why[0] != '\0');
		if (strcmp(wishes[i].what, what) == 0)
			found = tp_doer_name(wishes[i].doer);
	}
	tp_config_free(config);
	return found;
}

static void test_a_device_does_what_it_can(void **state)
{
	(void)state;
	assert_string_equal(
		doer(FILE_ON("[0]", "", VLAN), TP_OFFLOAD_ALL, "VLAN tags put on"), "hardware");
	assert_string_equal(
		doer(FILE_ON("[0]", "", VLAN), TP_OFFLOAD_VLAN_STRIP, "VLAN tags put on"),
		"software");
	assert_string_equal(
		doer(FILE_ON("[0]", "", VLAN), TP_OFFLOAD_VLAN_STRIP, "VLAN tags taken off"),
		"hardware");
	assert_string_equal(
		doer(FILE_ON("[0]", SIX, VNI), TP_OFFLOAD_ALL, "outer UDP checksum"), "hardware");
	assert_string_equal(doer(FILE_ON("[0]", SIX, VNI), 0, "outer UDP checksum"), "software");
	assert_null(doer(FILE_ON("[0]", FOUR, VNI), TP_OFFLOAD_ALL, "outer UDP checksum"));
	assert_null(doer(FILE_ON("[0]", FOUR, VNI), TP_OFFLOAD_ALL, "VLAN tags put on"));
}

static void test_the_file_may_leave_it_out(void **state)
{
	(void)state;
	assert_string_equal(doer(FILE_ON("[0]", ",'offloads':'none'", VLAN), TP_OFFLOAD_ALL,
				    "VLAN tags put on"),
		"software");
	assert_string_equal(doer(FILE_ON("[0]", ",'offloads':['vlan_strip']", VLAN), TP_OFFLOAD_ALL,
				    "VLAN tags put on"),
		"software");
	assert_string_equal(doer(FILE_ON("[0]", ",'offloads':['vlan_insert']", VLAN),
				    TP_OFFLOAD_ALL, "VLAN tags put on"),
		"hardware");
}

static void test_outer_ipv4_sums_are_for_who_names_them(void **state)
{
	(void)state;
	assert_string_equal(
		doer(FILE_ON("[0]", FOUR, VNI), TP_OFFLOAD_ALL, "outer IPv4 checksum"), "software");
	assert_string_equal(doer(FILE_ON("[0]", FOUR ",'offloads':['ipv4_checksum']", VNI),
				    TP_OFFLOAD_ALL, "outer IPv4 checksum"),
		"hardware");
}

static void test_several_workers(void **state)
{
	const char *what = "frames to several workers";

	(void)state;
	assert_string_equal(doer(FILE_ON("[0]", "", VLAN), TP_OFFLOAD_ALL, what), "software");
	assert_string_equal(doer(FILE_ON("[0,1]", "", VLAN), TP_OFFLOAD_ALL, what), "hardware");
	assert_string_equal(
		doer(FILE_ON("[0,1]", ",'queues':1", VLAN), TP_OFFLOAD_ALL, what), "software");
	assert_string_equal(doer(FILE_ON("[0,1]", "", VLAN), 0, what), "software");
}

static void test_to_the_worker_that_serves(void **state)
{
	const char *tags = "VLANs to their worker", *tunnels = "tunnels to their worker";
	uint32_t all = UINT32_MAX & ~(uint32_t)TP_STEER_WANTS_RIGHT;

	(void)state;
	assert_string_equal(doer(FILE_ON("[0]", "", VLAN), all, tags), "software");
	assert_string_equal(doer(FILE_ON("[0,1]", "", VLAN), all, tags), "hardware");
	assert_string_equal(doer(FILE_ON("[0,1]", "", VLAN), UINT32_MAX, tags), "hardware");
	assert_string_equal(doer(FILE_ON("[0,1]", "", VLAN), TP_CAN_STEER_VNI, tags), "software");
	assert_string_equal(
		doer(FILE_ON("[0,1]", ",'steering':'off'", VLAN), all, tags), "software");
	assert_string_equal(doer(FILE_ON("[0,1]", ",'queues':1", VLAN), all, tags), "software");
	assert_null(doer(FILE_ON("[0,1]", "", VLAN), all, tunnels));
	assert_string_equal(
		doer(FILE_ON("[0,1]", FOUR, VNI), TP_CAN_STEER_VNI, tunnels), "hardware");
	assert_string_equal(
		doer(FILE_ON("[0,1]", FOUR, VNI), TP_CAN_STEER_VLAN, tunnels), "software");
}

static void test_what_is_never_asked_for(void **state)
{
	(void)state;
	assert_string_equal(
		doer(FILE_ON("[0]", "", VLAN), UINT32_MAX, "segmentation (TSO)"), "refused");
	assert_string_equal(
		doer(FILE_ON("[0]", "", "'a':{'network':{'uplink':'wan0','service_vlan':5}}"),
			UINT32_MAX, "S-tags"),
		"software");
	assert_string_equal(doer(FILE_ON("[0]", "",
					 "'a':{'network':{'uplink':'wan0'},'interfaces':{'v':{" MAC1
					 ",'class':'gold','rate':'5kpps'," SOCKET("1") "}}"),
				    UINT32_MAX, "rates of interfaces"),
		"software");
	assert_null(doer(FILE_ON("[0]", "", VLAN), UINT32_MAX, "rates of interfaces"));
}

static void test_what_is_chosen(void **state)
{
	struct tp_config *config =
		accepted(FILE_ON("[0]", ",'offloads':['rss','udp_checksum']", VLAN));

	(void)state;
	assert_int_equal(tp_offloads_chosen(&config->uplinks[0], UINT32_MAX),
		TP_OFFLOAD_RSS | TP_OFFLOAD_UDP_CHECKSUM);
	assert_int_equal(tp_offloads_chosen(&config->uplinks[0], TP_OFFLOAD_RSS | TP_CAN_SHAPE),
		TP_OFFLOAD_RSS);
	tp_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_device_does_what_it_can),
		cmocka_unit_test(test_the_file_may_leave_it_out),
		cmocka_unit_test(test_outer_ipv4_sums_are_for_who_names_them),
		cmocka_unit_test(test_several_workers),
		cmocka_unit_test(test_to_the_worker_that_serves),
		cmocka_unit_test(test_what_is_never_asked_for),
		cmocka_unit_test(test_what_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
