# Shared by the set-up scripts; sourced, never run.
# Reads KIWI_ROS (auto, wheels or system) and XDG_CACHE_HOME; writes nothing by itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kiwi

say() { printf '%s\n' "$*" >&2; }

die() {
  say "kiwi: $1"
  shift
  local line
  for line in "$@"; do say "      $line"; done
  exit 1
}

# step TITLE LOG COMMAND...: run COMMAND with its output in LOG, show the elapsed time, explain a failure.
step() {
  local title=$1 log=$2 start=$SECONDS ticker status=0
  shift 2
  mkdir -p "$(dirname "$log")"
  printf '  %s ...\n' "$title" >&2
  (
    while sleep 15 && kill -0 $$ 2>/dev/null; do
      printf '  %s ... %d s (%s)\n' "$title" "$((SECONDS - start))" "$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c 1-80)" >&2
    done
  ) &
  ticker=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if ((status)); then
    tail -n 25 "$log" >&2
    say ''
    say "kiwi: failed after $((SECONDS - start)) s: $title"
    say "      the whole log is in $log"
    return "$status"
  fi
  printf '  %s: %d s\n' "$title" "$((SECONDS - start))" >&2
}

# ros_kind: 'system' where a sourced ROS 2 Jazzy with launch_ros exists, else 'wheels'.
ros_kind() {
  case ${KIWI_ROS:-auto} in
    wheels | system) printf '%s\n' "$KIWI_ROS" ;;
    auto)
      if [[ ${ROS_DISTRO:-} == jazzy ]] && system_python -c 'import launch_ros, rclpy' 2>/dev/null; then
        echo system
      else
        echo wheels
      fi
      ;;
    *) die "KIWI_ROS is '$KIWI_ROS'; it may be auto, wheels or system" ;;
  esac
}

# The interpreter that apt's ROS is made for, whatever a version manager puts first.
system_python() { /usr/bin/python3 "$@"; }
