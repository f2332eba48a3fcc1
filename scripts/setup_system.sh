#!/usr/bin/env bash
# Make sure of what pip cannot bring: Python 3.12 with venv and headers, a C++ compiler, make, EGL with a driver.
# As root with apt it installs what is missing; otherwise it names the packages in one line to copy.
# Usage: setup_system.sh KIND PYTHON_FILE, with KIND wheels or system; the interpreter's path goes to PYTHON_FILE.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
kind=$1
python_file=$2

find_python() {
  if [[ $kind == system ]]; then echo /usr/bin/python3; else "$root/scripts/find_python.sh"; fi
}

loads() { "${python:-python3}" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }

in_apt() { command -v apt-cache >/dev/null && apt-cache show "$1" >/dev/null 2>&1; }

# missing: the apt packages this machine lacks, one per line.
missing() {
  python=$(find_python || true)
  if [[ -z $python ]]; then
    printf '%s\n' python3.12 python3.12-venv python3.12-dev
  else
    local name=python3.12
    [[ $python == /usr/bin/* ]] || name=
    if [[ -n $name ]]; then
      "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$name-venv"
      [[ -f $("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h ]] || echo "$name-dev"
    fi
  fi
  command -v g++ >/dev/null && command -v make >/dev/null || echo build-essential
  loads libEGL.so.1 || echo libegl1
  loads libOpenGL.so.0 || echo libopengl0
  loads libGL.so.1 || echo libgl1
  loads libEGL_mesa.so.0 || loads libEGL_nvidia.so.0 || echo libegl-mesa0
}

explain_python() {
  die 'no Python 3.12 found (tried python3, python3.12, pyenv and uv), and this machine'"'"'s apt does not offer one.' \
    'Install it in one of these ways and run the same command again:' \
    '  with uv (docs.astral.sh/uv):         uv python install 3.12' \
    '  with pyenv (github.com/pyenv/pyenv): pyenv install 3.12' \
    'or name an interpreter: KIWI_PYTHON=/path/to/python3.12 make ...'
}

mapfile -t packages < <(missing)
if ((${#packages[@]})); then
  if [[ ${packages[0]} == python3.12 ]] && ! in_apt python3.12 && command -v uv >/dev/null; then
    step 'Python 3.12 (uv)' "$cache/uv.log" uv python install 3.12
    mapfile -t packages < <(missing)
  fi
  if ((${#packages[@]})) && command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
    step 'package lists (apt)' "$cache/apt-update.log" apt-get update || true
    [[ ${packages[0]} != python3.12 ]] || in_apt python3.12 || explain_python
    step "system packages (apt): ${packages[*]}" "$cache/apt.log" \
      env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" \
      || die 'apt could not install them; repair apt or install them by hand:' "  apt-get install ${packages[*]}"
    mapfile -t packages < <(missing)
  fi
fi
if ((${#packages[@]})); then
  [[ ${packages[0]} != python3.12 ]] || in_apt python3.12 || explain_python
  die 'this machine lacks some packages. Install them and run the same command again:' \
    "  sudo apt-get install -y ${packages[*]}"
fi
if [[ $kind == wheels && $(uname -m) != x86_64 ]]; then
  die "ROS 2 as pip wheels exists for x86_64 only, and this machine is $(uname -m)." \
    'Use Ubuntu 24.04 with ROS 2 Jazzy from apt (ros-jazzy-ros-base), then:' \
    '  source /opt/ros/jazzy/setup.bash' \
    'and run the same command again.'
fi
find_python >"$python_file"
