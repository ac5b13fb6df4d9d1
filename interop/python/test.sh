#!/usr/bin/env bash
# Runs the tests of this directory, which start `gwyh agent` on loopback: a minute, and prints what failed.
# GWYH names a built program. Further arguments go to unittest, such as -v or the name of a test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# Debian's packages belong to Debian's Python, which need not be the first one of PATH.
for python in "${PYTHON:-python3}" /usr/bin/python3; do
	if "$python" -c 'import msgpack, nacl' 2>/dev/null; then
		export PYTHONDONTWRITEBYTECODE=1
		exec "$python" -m unittest "$@"
	fi
done
echo 'these tests need Python 3 with PyNaCl and msgpack: apt-get install python3 python3-nacl python3-msgpack' >&2
exit 1
