#!/usr/bin/env bash
# Chromium for the tests of the report's page, from Debian's packages; nothing to do if it is there.
set -euo pipefail
command -v chromium >/dev/null && exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
