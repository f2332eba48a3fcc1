#!/usr/bin/env bash
# Set everything up that is missing, then run a command in kiwi's environment.
# Usage: with_env.sh COMMAND [ARGUMENT...]
set -euo pipefail
source "$(dirname "$0")/lib.sh"
kind=$(ros_kind)

mkdir -p "$cache"
python_file=$(mktemp)
trap 'rm -f "$python_file"' EXIT
"$root/scripts/setup_system.sh" "$kind" "$python_file"
python=$(<"$python_file")
rm -f "$python_file"
trap - EXIT

pins=$({ cat "$root"/requirements/*.txt "$root/scripts/fix_cmake_paths.py"; "$python" --version; uname -m; echo "$kind"; } \
  | sha256sum | cut -c 1-12)
export VIRTUAL_ENV=$cache/venv-$pins
"$root/scripts/setup_venv.sh" "$kind" "$python" "$VIRTUAL_ENV"

source "$root/scripts/env.sh"
"$root/scripts/build.sh"
overlay
exec "$@"
