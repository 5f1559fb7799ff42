/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The layouts of virtio 1.2 as the kernel's headers spell them, pinned here. Everything is
 * little-endian (VIRTIO_F_VERSION_1), and so is every machine that this switch is built for.
 */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio 1.x is little-endian");
static_assert(sizeof(struct vring_desc) == 16, "virtio 1.2, 2.7.5");
static_assert(offsetof(struct vring_avail, ring) == 4, "virtio 1.2, 2.7.6");
static_assert(offsetof(struct vring_used, ring) == 4, "virtio 1.2, 2.7.8");
static_assert(sizeof(struct vring_used_elem) == 8, "virtio 1.2, 2.7.8");
static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "virtio 1.2, 5.1.6");
static_assert(offsetof(struct virtio_net_hdr_v1, num_buffers) == 10, "virtio 1.2, 5.1.6");

/* With VIRTIO_F_VERSION_1 the header always has num_buffers (virtio 1.2, 5.1.6.1). */
#define TP_NET_HEADER sizeof(struct virtio_net_hdr_v1)

#define TP_FEATURE(bit) (UINT64_C(1) << (bit))

/* What the switch offers to every guest. Offloads are not offered, so every frame is complete. */
#define TP_DEVICE_FEATURES                                                                         \
	(TP_FEATURE(VIRTIO_F_VERSION_1) | TP_FEATURE(VIRTIO_F_IN_ORDER) |                          \
		TP_FEATURE(VIRTIO_F_ANY_LAYOUT) | TP_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |        \
		TP_FEATURE(VIRTIO_RING_F_EVENT_IDX) | TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF) |         \
		TP_FEATURE(VIRTIO_NET_F_MTU) | TP_FEATURE(VIRTIO_NET_F_MQ) |                       \
		TP_FEATURE(VIRTIO_NET_F_CTRL_VQ) | TP_FEATURE(VIRTIO_NET_F_CTRL_RX) |              \
		TP_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE))
