#!/bin/sh
# The live suites: a virtual environment with JAX, the wheel of this package in it, and its tests.
#
#   packages/jaxpr/python/ci.sh [JAX VERSION] [DIRECTORY OF THE ENVIRONMENT]
#
# Prints what pytest prints, and as its last line `python: N passed, N failed, N skipped`. An environment that is there
# already is used again. Needs npm's packages installed (the engine is bundled first) and Python 3.11 or newer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=${1:-0.9.2}
environment=${2:-${TMPDIR:-/tmp}/gridfuse-jax-$version}
python=${PYTHON:-python3}

node "$here/build.mjs"
if ! "$environment/bin/python" -c "import jax; assert jax.__version__ == '$version'" 2>/dev/null; then
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check "jax==$version" numpy pytest pytest-xdist absl-py setuptools wheel
fi

# Built elsewhere, so that nothing is left in the checkout.
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cp -R "$here/pyproject.toml" "$here/README.md" "$here/src" "$here/tests" "$build/"
"$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --force-reinstall "$build"

status=0
(cd "$build/tests" && JAX_PLATFORMS=cpu "$environment/bin/python" -m pytest -q -p no:cacheprovider \
  --junitxml "$build/results.xml" .) || status=$?
"$environment/bin/python" - "$build/results.xml" <<'PYTHON' || status=1
import sys
import xml.etree.ElementTree as tree

suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
count = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
failed = count["failures"] + count["errors"]
print(f"python: {count['tests'] - failed - count['skipped']} passed, {failed} failed, {count['skipped']} skipped")
PYTHON
exit "$status"
