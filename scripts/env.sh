# The environment of kiwi's commands; sourced by bash after setup.sh has named VIRTUAL_ENV.
# Variables that are already set (ROS_DOMAIN_ID, HF_HUB_OFFLINE, ...) are left as they are.
: "${VIRTUAL_ENV:?run this through make, or: source scripts/activate.sh}"

export PATH=$VIRTUAL_ENV/bin:$root/install/kiwi_training/bin:$PATH
if [[ $(ros_kind) == wheels ]]; then
  export AMENT_PREFIX_PATH=$VIRTUAL_ENV CMAKE_PREFIX_PATH=$VIRTUAL_ENV
  export RMW_IMPLEMENTATION=${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}
fi
export HF_HUB_OFFLINE=${HF_HUB_OFFLINE:-1}

# The workspace, where it is built. colcon's own scripts use unset variables.
overlay() {
  local nounset=0
  [[ $- == *u* ]] && nounset=1
  set +u
  source "$root/install/local_setup.bash"
  ((nounset)) && set -u
  export PYTHONPATH=$root/install/kiwi_training/lib/python3.12/site-packages:${PYTHONPATH:-}
}
