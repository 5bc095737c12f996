#!/bin/sh
# Prints the path of a Python 3.13, wherever this machine has one; otherwise says what to install.
# azure-functions-runtime, Microsoft's own runtime that the local Functions host is built round, needs 3.13.
fits() {
  [ -n "$1" ] && "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

for candidate in \
  "${PYTHON:-}" \
  "$(command -v python3.13)" \
  "$(command -v python3)" \
  "$(command -v python)" \
  "$(uv python find 3.13 2>/dev/null)" \
  "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
  /usr/local/bin/python3.13 \
  /opt/homebrew/bin/python3.13; do
  if fits "$candidate"; then
    # A shim would choose again, and differently, in another folder: name the program behind it.
    "$candidate" -c 'import sys; print(sys.executable)'
    exit 0
  fi
done

cat >&2 <<'HELP'
Updraft needs Python 3.13 with its venv module, and none was found. Any of these will do:
  uv python install 3.13            (https://docs.astral.sh/uv)
  pyenv install 3.13
  apt-get install python3.13-venv   (Debian 13)
  brew install python@3.13          (macOS)
Or name one: make setup PYTHON=/path/to/python3.13
HELP
exit 1
