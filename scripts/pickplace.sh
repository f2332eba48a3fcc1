#!/usr/bin/env bash
# The closed loop, with ros2 launch where it exists and without it elsewhere. Run through with_env.sh.
# Arguments are name:=value, the same for both; without any, see: make pickplace ARGS=--show-args
set -euo pipefail
source "$(dirname "$0")/lib.sh"

if [[ $(ros_kind) == system ]]; then
  exec ros2 launch kiwi_bringup pickplace.launch.py "$@"
fi
exec python -m kiwi_bringup.run "$@"
