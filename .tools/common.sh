# shellcheck shell=bash
# Words to the user, and the question "is this file out of date?".

# With the seconds since the start.
say() { printf '==> %4d s  %s\n' "$SECONDS" "$*"; }

die() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

is_macos() { [ "$(uname -s)" = Darwin ]; }

# stale OUT IN...: OUT is missing, or an IN is newer than it.
stale() {
  local out=$1 in
  shift
  [ -e "$out" ] || return 0
  for in in "$@"; do
    [ "$in" -nt "$out" ] && return 0
  done
  return 1
}
