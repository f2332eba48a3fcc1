#!/usr/bin/env bash
# The closed loop, with ros2 launch where it exists and without it elsewhere. Run through with_env.sh.
# Arguments are name:=value, the same for both; without any, see: make pickplace ARGS=--show-args
# Rollouts that were recorded get HTML pages in <output_dir>/latest/report; the exit status is the run's.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

if [[ $(ros_kind) == system ]]; then
  front_end=(ros2 launch kiwi_bringup pickplace.launch.py)
else
  front_end=(python -m kiwi_bringup.run)
fi
output=rollouts
for word in "$@"; do
  if [[ $word == output_dir:=* ]]; then output=${word#output_dir:=}; fi
done
latest=$output/latest
before=$(readlink "$latest" || true)

# The front end runs beside the shell, so that a signal to either is never waited for; it takes a second one lightly.
env --default-signal=INT,QUIT "${front_end[@]}" "$@" <&0 &
child=$!
for signal in INT TERM HUP; do
  trap "signalled=yes; kill -$signal $child 2>/dev/null || true" "$signal"
done
signalled=yes status=0
while [[ $signalled ]]; do
  signalled='' status=0
  wait "$child" || status=$?
done
trap - INT TERM HUP

if [[ $(readlink "$latest" || true) != "$before" && -d $latest/bags ]] && command -v kiwi-bags >/dev/null; then
  kiwi-bags report "$latest/bags" --output "$latest/report" --quiet >/dev/null || true
  if [[ -f $latest/report/index.html ]]; then say "report: $latest/report/index.html"; fi
fi
exit "$status"
