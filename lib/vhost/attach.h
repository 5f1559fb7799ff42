/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "vhost/endpoint.h"

/** For fuzzers: serve a connected socket as if it had been accepted. @return as accept's path. */
int vhost_endpoint_attach(struct tp_vhost_endpoint *endpoint, int fd);
