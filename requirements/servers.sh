#!/bin/sh
# The tool server from npm that the tests call, by the lock in requirements/npm: Node from this machine, else Debian's
# where we may install it. Without Node its tests say that they did not run.
set -eu

here=requirements/npm there=.venv/npm
if cmp -s "$here/package-lock.json" "$there/.ready"; then exit 0; fi
if ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo 'Installing Node.js for a tool server of the tests ...'
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null || true
fi
if ! command -v npm >/dev/null; then
  echo 'Without Node.js 18 or newer and npm (on Debian and Ubuntu: apt-get install nodejs npm) the file server from npm is not tested.' >&2
  exit 0
fi
mkdir -p "$there"
cp "$here/package.json" "$here/package-lock.json" "$there"
(cd "$there" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
cp "$here/package-lock.json" "$there/.ready"
