#!/usr/bin/env bash
# Create the virtual environment at VENV, unless it is there and complete.
# Usage: setup_venv.sh KIND PYTHON VENV, with KIND wheels or system.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
kind=$1 python=$2 venv=$3
log=$venv.log
pins=$root/requirements

complete() { [[ -f $venv/.complete ]] && "$venv/bin/python" -c '' 2>/dev/null; }

install() {
  "$venv/bin/python" -m pip install --disable-pip-version-check --no-input "$@"
}

constraints=(-c "$pins/constraints.txt")
if [[ -n ${KIWI_UNCONSTRAINED:-} ]]; then constraints=(); fi

complete && exit 0
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
if ! flock -n 9; then
  say "  another set-up is building $venv; waiting for it ..."
  flock 9
fi
complete && exit 0

free=$(df -Pk "$(dirname "$venv")" | awk 'NR == 2 {print int($4 / 1048576)}')
((free >= 9)) || die "the environment takes about 6 GB and 3 GB while it is made, and $(dirname "$venv") has $free GB free." \
  'Free some space, or set XDG_CACHE_HOME to a larger disk.'

hint=('Check the network connection (pip fetches about 3 GB once), then run the same command again:'
  'what was fetched is kept. The log: '"$log")

say "kiwi: setting up $venv (once per set of pins, some minutes)"
rm -rf "$venv"
options=()
if [[ $kind == system ]]; then options=(--system-site-packages); fi
step 'virtual environment' "$log" "$python" -m venv "${options[@]}" "$venv" || die 'Python could not make a virtual environment.'
step 'LeRobot, torch, MuJoCo and tools (pip)' "$log" \
  install "${constraints[@]}" -r "$pins/tools.txt" -r "$pins/lerobot.txt" || die 'pip failed.' "${hint[@]}"
step 'cv_bridge (pip)' "$log" install --no-deps -r "$pins/no-deps.txt" || die 'pip failed.' "${hint[@]}"
if [[ $kind == wheels ]]; then
  step 'ROS 2 Jazzy (pip)' "$log" install "${constraints[@]}" -r "$pins/ros.txt" || die 'pip failed.' "${hint[@]}"
  step 'CMake files of the wheels' "$log" "$venv/bin/python" "$root/scripts/fix_cmake_paths.py" || die 'see above.'
fi
step 'check of the environment' "$log" "$venv/bin/python" -c 'import cv2, lerobot, mujoco, rclpy, torch' \
  || die 'the environment was installed but does not work; the log says which import fails.'
touch "$venv/.complete"
