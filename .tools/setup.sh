# shellcheck shell=bash
# What the build needs, installed under this folder where it can be, and named
# with the command to run where it cannot.

PATH=$ROOT/.tools/bin:$PATH
has cargo || PATH=$HOME/.cargo/bin:$PATH
export PATH

# --- Rust -----------------------------------------------------------------

setup_rust() {
  has cargo || die "Rust is missing. Install it with:
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  # Older rustup installs what rust-toolchain.toml lists by itself, newer
  # rustup may be told not to; a toolchain without rustup is taken as it is.
  rustc --version >/dev/null 2>&1 || install_toolchain
  check_rust_version
  local sysroot
  sysroot=$(rustc --print sysroot)
  [ -d "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib" ] ||
    rustup_run target add wasm32-unknown-unknown
  [ -f "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ] ||
    rustup_run component add rust-src
}

install_toolchain() {
  say "installing the Rust toolchain of rust-toolchain.toml"
  rustup_run toolchain install stable --profile minimal \
    --component rustfmt,clippy,rust-src --target wasm32-unknown-unknown
}

rustup_run() {
  has rustup || die "rustup is missing, so this cannot run: rustup $*
Install rustup from https://rustup.rs, or add that part to your Rust by hand."
  rustup "$@" || die "this failed: rustup $*"
}

check_rust_version() {
  local need have
  need=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
  have=$(rustc --version | sed 's/^rustc 1\.\([0-9]*\).*/\1/')
  [ "$have" -ge "$need" ] ||
    die "Rust 1.$need or later is needed, 1.$have is here. Run: rustup update stable"
}

# --- wasm-bindgen -----------------------------------------------------------

# The glue must come from the very version that Cargo.lock has.
setup_wasm_bindgen() {
  local version
  version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock)
  has_wasm_bindgen "$version" && return
  say "compiling wasm-bindgen $version (once, a few minutes)"
  install_wasm_bindgen "$version" --locked && return
  # A registry mirror may lack a version that the tool's own lock file names.
  say "its locked dependencies are not to be had: trying the newest fitting ones"
  install_wasm_bindgen "$version" ||
    die "could not install wasm-bindgen $version. Try: cargo install wasm-bindgen-cli --version $version"
}

has_wasm_bindgen() {
  has wasm-bindgen-test-runner &&
    [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $1" ]
}

# Barely optimised: it runs for seconds, and would compile for minutes more.
install_wasm_bindgen() {
  local version=$1
  shift
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 CARGO_PROFILE_RELEASE_DEBUG=false \
    CARGO_TARGET_DIR=$ROOT/target/tools \
    cargo install --quiet --root "$ROOT/.tools" --force \
    --version "=$version" "$@" wasm-bindgen-cli
}

# --- Node.js ------------------------------------------------------------------

setup_node() {
  local how="Get it from https://nodejs.org"
  is_macos && how="Install it with: brew install node"
  if ! has node || ! has npm; then die "Node.js >= 20 with npm is missing. $how"; fi
  [ "$(node --print 'process.versions.node.split(".")[0]')" -ge 20 ] ||
    die "Node.js >= 20 is needed, $(node --version) is here. $how"
}

# setup_npm DIR: DIR's locked packages, when the lock has changed since.
setup_npm() {
  local dir=$1
  cmp -s "$dir/package-lock.json" "$dir/node_modules/.installed-lock" && return
  say "npm ci in $dir"
  (cd "$dir" && npm ci --no-audit --no-fund --loglevel=error)
  mkdir -p "$dir/node_modules"
  cp "$dir/package-lock.json" "$dir/node_modules/.installed-lock"
}

# --- Chromium -----------------------------------------------------------------

# setup_chromium [driver]: sets CHROMIUM and CHROMEDRIVER, which the tests and
# benchmarks read; without "driver" the latter may stay empty.
setup_chromium() {
  find_chromium "$@" || apt_install_chromium || true
  find_chromium "$@" || die "Chromium${1:+ with its $1} is needed. Install it with:
  $(chromium_command)
or name it: CHROMIUM=/path/to/chromium CHROMEDRIVER=/path/to/chromedriver ./build.sh ..."
  export CHROMIUM CHROMEDRIVER
}

find_chromium() {
  CHROMIUM=${CHROMIUM:-$(first_of chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")}
  CHROMEDRIVER=${CHROMEDRIVER:-$(first_of chromedriver chromium.chromedriver \
    /usr/lib/chromium-browser/chromedriver)}
  [ -n "$CHROMIUM" ] && { [ $# -eq 0 ] || [ -n "$CHROMEDRIVER" ]; }
}

# first_of NAME...: the first of these programs that is here, as a path.
first_of() {
  local name
  for name in "$@"; do
    command -v "$name" && return
  done
  return 0
}

apt_install_chromium() {
  has apt-get || return 1
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo && sudo -n true 2>/dev/null || return 1
    sudo=(sudo -n)
  fi
  say "installing chromium and chromium-driver with apt-get"
  ${sudo[@]+"${sudo[@]}"} apt-get update -qq &&
    ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null
}

chromium_command() {
  if is_macos; then
    echo "brew install --cask chromium chromedriver"
  elif has apt-get; then
    echo "sudo apt-get install chromium chromium-driver"
  else
    echo "your package manager: the packages are mostly named chromium and chromedriver"
  fi
}
