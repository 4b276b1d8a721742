#!/bin/sh
# Runs everything that is checked: vet, staticcheck and all tests. What the kernel tests need is installed from Debian when
# it is missing. With CI set, a test that can't run fails; else it is skipped and says what is missing.
set -eu
cd "$(dirname "$0")/.."

missing=
need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need nft nftables
need iptables-restore iptables
need iptables-legacy-restore iptables
need ip iproute2
need dnsmasq dnsmasq-base
need busybox busybox
need dhclient isc-dhcp-client
need dbus-daemon dbus-daemon
need systemd-analyze systemd
if [ -n "$missing" ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "installing$missing" >&2
		apt-get update -qq >&2
		# shellcheck disable=SC2086 # a list of packages
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
	else
		echo "missing:$missing. They are Debian packages; install them as root with: apt-get install$missing" >&2
		echo "Until then the tests that need them are skipped." >&2
	fi
fi
PATH=$PATH:/usr/sbin:/sbin
export PATH
if [ -n "${CI:-}" ]; then
	export VNETC_NETNS=require
fi

go vet ./...
go tool staticcheck ./...
exec go test -parallel 4 -timeout 30m ./... # kernel tests mostly wait
