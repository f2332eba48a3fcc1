#!/usr/bin/env bash
# Print the path of a Python 3.12 that really runs; exit 1 with nothing printed where there is none.
set -euo pipefail
shopt -s nullglob

runs() {
  [[ -n $1 ]] && "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 12))' >/dev/null 2>&1
}

candidates=(
  "${KIWI_PYTHON:-}"
  "$(command -v python3 || true)"
  "$(command -v python3.12 || true)"
  /usr/bin/python3 /usr/bin/python3.12 /usr/local/bin/python3.12
)
for pyenv in "${PYENV_ROOT:-}" "$(pyenv root 2>/dev/null || true)" "${HOME:-}/.pyenv"; do
  [[ -n $pyenv ]] && candidates+=("$pyenv"/versions/3.12*/bin/python3.12)
done
candidates+=("$(uv python find --no-project 3.12 2>/dev/null || true)")
candidates+=("${HOME:-}"/.local/share/uv/python/cpython-3.12*/bin/python3.12)

for python in "${candidates[@]}"; do
  if runs "$python"; then
    # The interpreter itself, not a shim or an active virtual environment's link to it.
    "$python" -c 'import os, sys; print(os.path.realpath(sys._base_executable))'
    exit 0
  fi
done
exit 1
