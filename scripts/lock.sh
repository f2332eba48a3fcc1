#!/usr/bin/env bash
# Write requirements/constraints.txt anew: what pip chooses today for the pins of requirements/.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
kind=wheels
python=$("$root/scripts/find_python.sh") || die 'no Python 3.12 found; run make setup for advice.'
mkdir -p "$cache"
work=$(mktemp -d "$cache/lock-XXXXXX")
trap 'rm -rf "$work"' EXIT
KIWI_UNCONSTRAINED=1 "$root/scripts/setup_venv.sh" "$kind" "$python" "$work/venv"
"$work/venv/bin/python" "$root/scripts/freeze.py" >"$work/constraints.txt"
mv "$work/constraints.txt" "$root/requirements/constraints.txt"
