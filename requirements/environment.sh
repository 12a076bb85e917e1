#!/bin/sh
# Makes .venv with the first Python here that is new enough, or says in one sentence what is missing.
set -eu

wanted=${1:-python3}
python=
for candidate in "$wanted" python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done

if [ -z "$python" ]; then
  found=$("$wanted" --version 2>&1 || true)
  echo "5-Layer Runtime needs Python 3.11 or newer, and '$wanted' is: ${found:-not installed}. Install one, or name it: make run PYTHON=/path/to/python3.11" >&2
  exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  echo "Python's venv module is missing. Install it (on Debian and Ubuntu: apt-get install python3-venv), then run make again." >&2
  exit 1
fi
"$python" -m venv .venv
