#!/bin/sh
# A browser for the journeys in e2e/: one that is here, else Debian's where we may install it, else Playwright's own.
set -eu

for name in "${FLR_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
  if [ -n "$name" ] && command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo 'Installing Chromium and a font for the browser journeys ...'
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends chromium fonts-inter >/dev/null && exit 0
fi
if .venv/bin/python -c 'from playwright.sync_api import sync_playwright as s
import os, sys
with s() as p: sys.exit(not os.path.exists(p.chromium.executable_path))' 2>/dev/null; then exit 0; fi
if .venv/bin/python -m playwright install chromium; then exit 0; fi
echo 'The browser journeys need Chromium: install it (on Debian and Ubuntu: apt-get install chromium), or set FLR_CHROMIUM to one.' >&2
exit 1
