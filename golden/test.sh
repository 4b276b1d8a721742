#!/bin/sh
# Runs everything that is checked: vet, staticcheck and all tests. With CI set it installs missing tools from Debian, and a
# test that can't run fails. Without CI it asks before it installs anything, and tests whose tools are missing are skipped.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
export PATH

debian= fedora=
need() { # need COMMAND DEBIAN-PACKAGE FEDORA-PACKAGE
	command -v "$1" >/dev/null 2>&1 || { debian="$debian $2" fedora="$fedora $3"; }
}
need nft nftables nftables
need iptables-restore iptables iptables-nft
need iptables-legacy-restore iptables iptables-legacy
need ip iproute2 iproute
need dnsmasq dnsmasq-base dnsmasq
need busybox busybox busybox
need dhclient isc-dhcp-client dhcp-client
need dbus-daemon dbus-daemon dbus-daemon
need systemd-analyze systemd systemd

install() {
	apt-get update -qq >&2
	# shellcheck disable=SC2086 # a list of packages
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $debian >&2
}

if [ -n "$debian" ]; then
	answer=no
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		if [ -n "${CI:-}" ]; then
			answer=yes
		elif [ -t 0 ] && [ -t 2 ]; then
			printf 'Tools of the kernel tests are missing. Install them now (apt-get install%s)? [y/N] ' "$debian" >&2
			read -r answer || answer=no
		fi
	fi
	case $answer in
	y | yes | Y) install ;;
	*)
		cat >&2 <<-EOF
			Tools of the kernel tests are missing. The tests that need them are skipped. To install them, as root:
			  Debian, Ubuntu:  apt-get install$debian
			  Fedora:          dnf install$fedora
		EOF
		;;
	esac
fi
if [ -n "${CI:-}" ]; then
	export VNETC_NETNS=require
fi

# say COMMAND...: runs it, and says so if it takes long, as the first time does.
say() {
	(sleep 10 && echo "still running: $* (the first run compiles everything and takes minutes)" >&2) &
	timer=$!
	code=0
	"$@" || code=$?
	kill "$timer" 2>/dev/null || true
	wait "$timer" 2>/dev/null || true
	return "$code"
}

say go vet ./...
say go tool staticcheck ./...
echo "running all tests" >&2
exec go test -parallel 4 -timeout 30m ./... # kernel tests mostly wait
