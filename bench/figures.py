# SPDX-License-Identifier: BSD-3-Clause
"""Figures of several rounds, and of histograms that a switch shows."""
import statistics


def spread(values, digits):
    """Median, with the least and the greatest."""
    values = list(values)
    if not values:
        return "-"
    return (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to "
            f"{max(values):.{digits}f})")


def ratio_of(each, base):
    """Two values of the same rounds: ratio of their medians, with the least and the greatest of one
    round's. @param each, base  {round: value}"""
    rounds = [number for number in each if base.get(number)]
    if not rounds:
        return ""
    ratios = [each[number] / base[number] for number in rounds]
    middle = (statistics.median(each[number] for number in rounds) /
              max(1e-12, statistics.median(base[number] for number in rounds)))
    return f"{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def ratio(rows, base, candidate, value):
    """As ratio_of, of one candidate to another."""
    by = {name: {row["round"]: value(row) for row in rows if row["candidate"] == name}
          for name in (base, candidate)}
    return "" if base == candidate else ratio_of(by[candidate], by[base])


def quantile(histogram, share):
    """@param histogram  {value: count}"""
    left = share * sum(histogram.values())
    for value in sorted(histogram):
        left -= histogram[value]
        if left <= 0:
            return value
    return 0


QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("most", 1))


def quantiles(histogram):
    return {name: quantile(histogram, share) for name, share in QUANTILES}


def histogram_of(pairs):
    """@param pairs  of value and count; values may stand there twice, rounded to the same"""
    found = {}
    for value, count in pairs:
        found[value] = found.get(value, 0) + count
    return found


def pinned_gaps(switch):
    """Nanoseconds between two polls of pinned rings, and how often: of all workers."""
    return histogram_of(pair for worker in switch.show("workers")
                        for pair in worker["pinned_gaps"])


def between(before, after):
    """What came into a histogram between two looks."""
    return {value: count - before.get(value, 0) for value, count in after.items()
            if count > before.get(value, 0)}
