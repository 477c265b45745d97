#!/bin/sh
# Makes .venv and installs the system libraries. Safe to repeat; does nothing when nothing has changed.
set -eu
cd "$(dirname "$0")/.."

libraries="libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
# The browser is needed by the tests alone, but one list is easier to keep true than two.
programs="chromium"

python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1 || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        libraries="python3 $libraries"
    else
        echo "The portal needs Python 3.11 or newer. Install it (Debian: apt-get install python3 python3-venv) and try again." >&2
        exit 1
    fi
fi
if command -v "$python" >/dev/null 2>&1 && ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    libraries="python3-venv $libraries"
fi

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $libraries $programs; do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
            missing="$missing $package"
        fi
    done
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing$missing"
        export DEBIAN_FRONTEND=noninteractive
        # A list of packages may be missing or old on a fresh machine; it is renewed only when needed.
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
            apt-get update -qq >/dev/null
            # shellcheck disable=SC2086
            if ! apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
                echo "Could not install$missing. Install them by hand and try again." >&2
                exit 1
            fi
        }
    else
        echo "Missing system libraries. As root: apt-get install$missing" >&2
        exit 1
    fi
fi

stamp=.venv/.installed
wanted=$(cat requirements/all.lock pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    echo "Installing Python packages into .venv"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
    .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --compile-bytecode -r requirements/all.lock
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
    echo "$wanted" >"$stamp"
fi
