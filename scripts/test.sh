#!/usr/bin/env bash
# All test suites: the packages' through colcon, the training's through pytest. Run through with_env.sh.
# JUnit files: build/<package>/pytest.xml and build/kiwi_training/pytest.xml. Exit status 1 where anything fails.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$root"

# A domain of their own, so that tests neither hear nor disturb a robot or another test run.
export ROS_DOMAIN_ID=${ROS_DOMAIN_ID:-$((1 + RANDOM % 100))}
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
failed=0

say "kiwi: tests of the packages (ROS domain $ROS_DOMAIN_ID)"
rm -f build/*/pytest.xml
packages=(kiwi_policy kiwi_sim kiwi_bringup kiwi_bench)
python -m colcon test --base-paths src --packages-select "${packages[@]}" --executor sequential \
  --event-handlers console_direct+ --return-code-on-test-failure || failed=1
python -m colcon test-result --test-result-base build --verbose || failed=1
for package in "${packages[@]}"; do
  [[ -f build/$package/pytest.xml ]] || { say "kiwi: $package ran no tests"; failed=1; }
done

say 'kiwi: tests of kiwi_training'
(cd training && python -m pytest -q -p no:cacheprovider --junitxml="$root/build/kiwi_training/pytest.xml") || failed=1

python "$root/scripts/summarise_tests.py" build/*/pytest.xml || failed=1
exit "$failed"
