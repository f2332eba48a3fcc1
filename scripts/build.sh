#!/usr/bin/env bash
# Build what changed of the workspace: src/* with colcon, training with pip, into install/.
# Expects the environment of env.sh. A package is built again when its files, its dependencies or the environment change.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$root"
stamps=$root/install/.stamps
mkdir -p build

# One build of this workspace at a time.
exec 8>build/.lock
flock 8

# CMake's cache names files of the environment it was made in, which may be gone.
if [[ -d $stamps && $(cat "$stamps/.environment" 2>/dev/null) != "$VIRTUAL_ENV" ]]; then
  find build install -mindepth 1 -maxdepth 1 -not -name .lock -exec rm -rf {} +
fi
mkdir -p "$stamps" build/logs
printf '%s\n' "$VIRTUAL_ENV" >"$stamps/.environment"

# contents PATH...: a hash of the sources below the paths.
contents() {
  find "$@" -type f -not -path '*/__pycache__/*' -not -path '*/.*' -not -path '*.egg-info/*' \
    -not -path '*/test/*' -not -path '*/tests/*' -print0 \
    | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16
}

colcon_package() {
  # A clean start: neither colcon nor setuptools removes a module that its source folder no longer has.
  [[ -f src/$1/CMakeLists.txt ]] || rm -rf "build/$1" "install/$1"
  python -m colcon build --base-paths src --packages-select "$1" --executor sequential --event-handlers console_direct+
}

training_package() {
  rm -rf build/kiwi_training install/kiwi_training
  cp -r training build/kiwi_training
  python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --ignore-installed \
    --prefix "$root/install/kiwi_training" build/kiwi_training
}

# build_if_changed NAME BUILDER PATH...
build_if_changed() {
  local name=$1 builder=$2 hash
  shift 2
  hash=$(contents "$@")
  [[ -f $stamps/$name && $(<"$stamps/$name") == "$hash" ]] && return 0
  rm -f "$stamps/$name"
  step "build $name" "build/logs/$name.log" "$builder" "$name" || die "$name does not build; the compiler's words are above." \
    'If a change of the environment is the cause, run: make clean'
  printf '%s\n' "$hash" >"$stamps/$name"
}

build_if_changed kiwi_msgs colcon_package src/kiwi_msgs colcon.meta
for package in kiwi_policy kiwi_sim kiwi_bringup kiwi_bench; do
  build_if_changed "$package" colcon_package "src/$package" colcon.meta
done
build_if_changed kiwi_training training_package training
