#!/bin/sh
# bubblewrap for what runs locked away: the one that is here, else Debian's where we may install it. Without it the product
# refuses to run code and local MCP servers, and the tests check that it does.
set -eu

if command -v bwrap >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo 'Installing bubblewrap for the sandbox ...'
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends bubblewrap >/dev/null && exit 0
fi
echo 'Without bubblewrap (on Debian and Ubuntu: apt-get install bubblewrap) only the refusal of the sandbox is tested.' >&2
