#!/usr/bin/env bash
# Installs from Debian what the tests run beside the Go toolchain: redis-server, PostgreSQL,
# Chromium, pdftotext, Prometheus, amtool, docker-compose, and a C compiler for the race detector. Does
# nothing when all of it is there.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }
have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

missing=()
have redis-server || missing+=(redis-server)
have_postgres || missing+=(postgresql)
have chromium || have chromium-browser || have google-chrome || missing+=(chromium fonts-noto-cjk) # mails are measured in Korean
have pdftotext || missing+=(poppler-utils)
{ have prometheus && have promtool; } || missing+=(prometheus)
have amtool || missing+=(prometheus-alertmanager)
have docker-compose || missing+=(docker-compose)
have gcc || have cc || missing+=(gcc libc6-dev)
have git || missing+=(git)
have make || missing+=(make)

if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi
if ! have apt-get; then
	echo "The tests need: ${missing[*]} (names of Debian packages). Install them and try again." >&2
	exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "The tests need: ${missing[*]}. As root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo -n)
fi

echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
# The packages may start services of their own: the tests use neither their ports nor their data.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
