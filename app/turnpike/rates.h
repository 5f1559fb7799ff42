/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

/**
 * Make rates of two samples: to each row of `now` the keys rx_frames_rate, rx_bits_rate,
 * tx_frames_rate, tx_bits_rate, drops_rate, frames_rate are added, each a second. Rows are matched
 * by tenant and name, workers by their number. busy_percent
 * becomes that of the time between. A counter that went back (the appliance was started
 * again) counts from 0, and a row that was not there before has rate 0.
 *
 * @param before   rows of the earlier sample
 * @param now      rows of the later sample, changed
 * @param seconds  between the two, above 0
 * Threading: any one thread.
 */
void tp_rates_add(const json_t *before, json_t *now, double seconds);

/** Sort rows by the sum of their frame rates, the busiest first; equal ones keep their order.
 * @return a new array of the same rows, or NULL: no memory. */
json_t *tp_rates_sort(const json_t *rows);
