#!/usr/bin/env bash
# Compare action heads. Without arguments: record the demonstrations that are missing, then run training/bakeoff/lekiwi.toml.
# Arguments go to kiwi-bakeoff. Run through with_env.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

record() {  # ROOT ARGUMENT...
  local root=$1
  shift
  kiwi-demos --root "$root" "$@" $([[ -e $root ]] && echo --resume)
}

if [[ ${RAY:-} ]] && ! python -c 'import ray' 2> /dev/null; then
  python -m pip install -q -c requirements/constraints.txt -r requirements/optional/ray.txt
fi
if [[ $# -eq 0 ]]; then
  record demos --episodes 400
  record demos-forced --task forced-fork --episodes 200 --seed 20000
  set -- training/bakeoff/lekiwi.toml
fi
exec kiwi-bakeoff "$@" ${RAY:+--ray}
