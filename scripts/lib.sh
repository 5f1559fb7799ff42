# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the other scripts: messages, packages, hugepages, children that are ended by their id.
#
# Every program that may take long runs as a child in a session of its own (start, step), so that
# Ctrl-C reaches the script alone: the script decides who ends, in which order.

# shellcheck disable=SC2034 # used by those who source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
	printf '%s\n' "$*"
}

fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# --- what is to be undone at the end -------------------------------------------------------------

children=()         # process ids, each the leader of its own group
scratch=            # directory for logs and pipes
hugepages_added=0   # how many pages this script has reserved

# A caller's own version of this function runs at the end, whatever ends the script (SIGKILL alone
# excepted); after it everything that this file did is undone.
undo() {
	:
}

begin_signals() {
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 131' QUIT
	trap 'exit 141' PIPE
	trap 'exit 143' TERM
}

begin() {
	begin_signals
	trap finish EXIT
	# Named before it is made, so that a signal in between leaves no directory behind.
	scratch=${TMPDIR:-/tmp}/turnpike-${0##*/}.$$.$RANDOM
	mkdir -m 700 "$scratch"
}

finish() {
	local status=$?
	trap '' HUP INT QUIT PIPE TERM
	set +e
	undo
	end_children
	give_hugepages_back
	rm -rf "$scratch"
	exit "$status"
}

# --- children ------------------------------------------------------------------------------------

# start LOG COMMAND...: run in the background; its id is in $!.
start() {
	local log=$1
	shift
	setsid "$@" >>"$log" 2>&1 </dev/null &
	children+=("$!")
}

alive() {
	kill -0 "$1" 2>/dev/null
}

# End one child and its group: SIGTERM, after a while SIGKILL.
end_child() {
	local child=$1 tries=100 left=() one
	kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || true
	while alive "$child" && ((tries-- > 0)); do
		sleep 0.1
	done
	kill -KILL -- "-$child" 2>/dev/null || true
	wait "$child" 2>/dev/null || true
	for one in "${children[@]}"; do
		[ "$one" = "$child" ] || left+=("$one")
	done
	children=("${left[@]}")
}

# Last started, first ended; then the one that a signal kept from being written down.
end_children() {
	local child
	while ((${#children[@]} > 0)); do
		end_child "${children[-1]}"
	done
	for child in $(jobs -p); do
		end_child "$child"
	done
}

# attempt LOG COMMAND...: run to its end, give its exit status; a signal to the script ends it.
attempt() {
	local child status=0
	start "$@"
	child=$!
	wait "$child" || status=$?
	end_child "$child"
	return "$status"
}

# step WHAT COMMAND...: one progress line; when it fails, the end of what it wrote.
step() {
	local what=$1 log=$scratch/step.log
	shift
	say "$what"
	: >"$log"
	attempt "$log" "$@" || {
		tail -n 40 "$log" >&2
		fail "failed: $*"
	}
}

# --- packages ------------------------------------------------------------------------------------

# The arrays are used by name.
# shellcheck disable=SC2034
packages_build=(
	gcc             # compiles the appliance
	meson           # describes the build
	ninja-build     # runs it
	pkg-config      # finds the libraries
	libdpdk-dev     # lcores, hugepage memory, hash, RCU, telemetry
	libjansson-dev  # JSON
	libnuma-dev     # NUMA nodes of CPUs and of pages
	libcap-ng-dev   # capabilities: dropping them
	libseccomp-dev  # the filter of system calls
	libsystemd-dev  # telling the service manager how things are
	libcmocka-dev   # unit tests
)
# shellcheck disable=SC2034
packages_fuzz=(
	clang               # compiles the fuzzers
	libclang-rt-14-dev  # libFuzzer, and the sanitizers that notice what it finds
	llvm-14             # names in their reports; which lines the fuzzers reach
)
# shellcheck disable=SC2034
packages_test=(
	util-linux          # setsid, setpriv
	dpdk                # what testpmd needs at run time
	dpdk-dev            # dpdk-testpmd: another switch, and other guests
	git                 # lists the files to check
	clang               # the second compiler
	libclang-rt-14-dev  # its sanitizers
	clang-format        # the style of C
	cppcheck            # static analysis
	shellcheck          # the same for shell scripts
	codespell           # spelling
	python3             # scenarios
	systemd             # systemd-analyze: the unit is checked
	python3-jsonschema  # config/schema.json against the parser
	openvswitch-switch-dpdk # the rival that the load generator must drive as well
	gnuplot-nox         # the comparison's plots
	qemu-system-x86     # Linux guests
	busybox-static      # their programs
	iproute2            # network namespaces, veth and VLAN interfaces to reach by uplinks
	cpio                # their file system
	libc6-dev           # their static programs
	spin                # checks the model of many workers on one ring
)

# need_packages GROUP...: install what is missing of the groups.
need_packages() {
	local group name missing=()
	for group in "$@"; do
		local -n names=packages_$group
		for name in "${names[@]}"; do
			[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
				missing+=("$name")
		done
	done
	((${#missing[@]} > 0)) || return 0
	[ "$(id -u)" = 0 ] ||
		fail "these packages are missing: ${missing[*]}; run it as root (sudo), which installs them"
	export DEBIAN_FRONTEND=noninteractive
	step "packages: reading the lists" apt-get -q update
	step "packages: fetching ${missing[*]}" apt-get -q -y --no-install-recommends --download-only \
		install "${missing[@]}"
	install_fetched "${missing[@]}"
}

# Nothing that we install shall start a service (policy-rc.d, as Debian's policy has it).
services=/usr/sbin/policy-rc.d

forbid_services() {
	[ ! -e "$services" ] || return 0
	printf '#!/bin/sh\n# turnpike\nexit 101\n' >"$services"
	chmod 755 "$services"
}

allow_services() {
	# The rival is started by those who measure it, not by the machine.
	[ ! -d /run/systemd/system ] || ! systemctl -q is-enabled openvswitch-switch 2>/dev/null ||
		[ ! -e "$services" ] || systemctl -q disable openvswitch-switch 2>/dev/null || true
	! grep -qsx '# turnpike' "$services" || rm -f "$services"
}

# An interrupted dpkg leaves a machine to be repaired by hand, so a signal waits for its end.
install_fetched() {
	local child status=0 log=$scratch/install.log interrupted=0
	say "packages: installing"
	forbid_services
	setsid apt-get -q -y --no-install-recommends install "$@" >"$log" 2>&1 </dev/null &
	child=$!
	trap 'interrupted=130; say "(stopping as soon as the packages are in place)"' HUP INT QUIT TERM
	while alive "$child"; do
		wait "$child" || true
	done
	wait "$child" || status=$?
	allow_services
	begin_signals
	((interrupted == 0)) || exit "$interrupted"
	((status == 0)) || {
		tail -n 40 "$log" >&2
		fail "apt-get install failed"
	}
}

# --- hugepages -----------------------------------------------------------------------------------

hugepages=/sys/kernel/mm/hugepages/hugepages-2048kB

# want_hugepages COUNT: see that so many 2 MiB pages are free, with no more than a quarter of the
# free memory. Never fails: the appliance works without. TURNPIKE_NO_HUGEPAGES=1 reserves none.
want_hugepages() {
	local wanted=$1 free before after most
	[ "${TURNPIKE_NO_HUGEPAGES:-}" != 1 ] || {
		say "hugepages: none, as TURNPIKE_NO_HUGEPAGES asks"
		return 0
	}
	free=$(cat $hugepages/free_hugepages 2>/dev/null || echo 0)
	((free < wanted)) || return 0
	most=$(awk '/^MemAvailable:/ { print int($2 / 4 / 2048) }' /proc/meminfo)
	before=$(cat $hugepages/nr_hugepages 2>/dev/null || echo 0)
	((wanted - free <= most)) || wanted=$((free + most))
	if [ -w $hugepages/nr_hugepages ]; then
		echo $((before + wanted - free)) 2>/dev/null >$hugepages/nr_hugepages || true
		after=$(cat $hugepages/nr_hugepages)
		hugepages_added=$((after - before))
	fi
	if ((hugepages_added > 0)); then
		say "hugepages: $hugepages_added of 2 MiB reserved until the end"
	else
		say "hugepages: none could be reserved ($free free); going on without"
	fi
}

give_hugepages_back() {
	local now
	((hugepages_added > 0)) || return 0
	now=$(cat $hugepages/nr_hugepages)
	echo $((now > hugepages_added ? now - hugepages_added : 0)) >$hugepages/nr_hugepages
	hugepages_added=0
}
