#!/bin/sh
# Install the programs that some tests drive, where we may; say what is missing where we may not.
set -eu

missing=
PATH=$PATH:/usr/sbin
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need chromium chromium
need chromedriver chromium-driver
need redis-server redis-server
need curl curl
need h2load nghttp2-client
need nginx nginx-light
need haproxy haproxy
need caddy caddy
need promtool prometheus
need mariadbd mariadb-server
need mosquitto mosquitto
need mosquitto_pub mosquitto-clients
need nc netcat-openbsd
need socat socat
need openssl openssl
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgres postgresql
need node nodejs
need npm npm
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:$missing. Tests that need them are skipped (with CI=true they fail)."
    exit 0
fi
if [ "$(id -u)" = 0 ]; then as_root=
elif sudo -n true 2>/dev/null; then as_root='sudo -n'
else
    echo "Not installed:$missing. Tests that need them are skipped (with CI=true they fail)."
    echo "To run them: sudo apt-get install$missing"
    exit 0
fi
echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086  # words on purpose
{ $as_root apt-get update && $as_root apt-get install -y --no-install-recommends $missing; } </dev/null >"$log" 2>&1 || {
    tail -5 "$log"
    echo "apt-get could not install:$missing. Tests that need them are skipped (with CI=true they fail)."
}
rm -f "$log"
# Debian starts what it installs. The tests start their own, on ports of their own.
for service in nginx haproxy caddy prometheus mariadb mosquitto postgresql; do
    case $missing in *" $service"*) $as_root systemctl disable --now "$service" >/dev/null 2>&1 || true ;; esac
done
