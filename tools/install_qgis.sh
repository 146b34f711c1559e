#!/usr/bin/env bash
# QGIS for the tests of styles and of the plugin, from Debian's packages; nothing to do if there.
set -euo pipefail
# By absolute path: PyQGIS belongs to the system's Python, not to an environment in front of it.
/usr/bin/python3 -c "import qgis.core" 2>/dev/null && [ -x /usr/bin/qgis_process ] && exit 0
packages=(qgis python3-qgis qgis-providers)
# A slow mirror is given up here, and never in the middle of an installation.
timeout 60 apt-get update -qq
timeout 120 apt-get install -y -qq --no-install-recommends --download-only "${packages[@]}" >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
