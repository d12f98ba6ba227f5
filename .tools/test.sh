# shellcheck shell=bash
# Every test: style and lints, host, wasm in headless Chromium, page end to end.

# The first failing step ends the run; the runners print their own counts.
run_tests() {
  setup_rust
  test_style
  fetch_demo_model
  test_host
  build
  setup_chromium driver
  test_wasm simd
  test_wasm relaxed
  test_page
  say "all tests passed"
}

test_style() {
  say "format and lints"
  cargo fmt --check
  cargo clippy --quiet --all-targets -- -D warnings
  RUSTFLAGS=$(rust_flags relaxed) cargo clippy --quiet --lib --tests --no-default-features \
    --target wasm32-unknown-unknown --target-dir target/wasm/relaxed -- -D warnings
}

# For this very processor: the real model runs on plain code here, 1.6 times as fast so.
HOST_FLAGS="-Ctarget-cpu=native"

test_host() {
  say "host tests"
  local -x RUSTFLAGS=$HOST_FLAGS
  if has cargo-nextest; then
    cargo nextest run --cargo-quiet --no-fail-fast
    cargo test --quiet --doc
  else
    cargo test --quiet --no-fail-fast
  fi
}

# test_wasm VARIANT: the crate's wasm tests in headless Chromium.
test_wasm() {
  local variant=$1
  say "wasm tests in Chromium, $variant"
  write_webdriver_json target/webdriver.json
  RUSTFLAGS=$(rust_flags "$variant") CARGO_PROFILE_DEV_DEBUG=false \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=wasm-bindgen-test-runner \
    WASM_BINDGEN_TEST_WEBDRIVER_JSON=$ROOT/target/webdriver.json \
    WASM_BINDGEN_TEST_ONLY_WEB=1 WASM_BINDGEN_TEST_TIMEOUT=600 \
    cargo test --lib --no-default-features \
    --target wasm32-unknown-unknown --target-dir "target/wasm/$variant"
}

write_webdriver_json() {
  node --print 'JSON.stringify({ "goog:chromeOptions": { binary: process.argv[1], args: [
    "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync"] } })' "$CHROMIUM" >"$1"
}

test_page() {
  say "page tests in Chromium"
  setup_npm tests
  # Some of them run the host tool, which is compiled already.
  RUSTFLAGS=$HOST_FLAGS node tests/browser/run.mjs
}
