# SPDX-License-Identifier: BSD-3-Clause
"""What scenarios with an uplink stand on: a veth as its wire, whose far end is in a namespace."""

import harness
from network import Namespace, Veth


class Wired(harness.Scenario):
    def wire(self, **networks):
        """A wire, its far end's namespace, and what the configuration says of them."""
        self.outside = Namespace(self, "outside")
        self.veth = Veth(self, self.outside)
        return {"uplinks": {"wan0": {"device": f"net_af_packet0,iface={self.veth.here}"}},
                "networks": networks}

    def uplink(self):
        return self.switches[-1].show("uplinks")[0]

    def check_sums(self):
        """Every frame of the wire and of the guests is delivered or dropped by a name."""
        counted = self.uplink()["counters"]
        drops = {row["name"]: row["uplink_frames"] for row in self.switches[-1].show("drops")}
        self.assertEqual(drops, {name: counted[name] for name in drops})
        self.expect_uplink_balance(counted, drops)
        for one in self.switches[-1].show():
            self.assertEqual(one["tx_frames"], one["counters"]["delivered"] + one["drops"])
        return counted
