#!/usr/bin/env bash
# Builds, serves, tests and measures pagelm. `./build.sh help` lists the commands.
# Runs on macOS (bash 3.2) and Linux; the steps lie in .tools/*.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
ROOT=$PWD
readonly ROOT

# shellcheck source=.tools/common.sh
source .tools/common.sh
# shellcheck source=.tools/setup.sh
source .tools/setup.sh
# shellcheck source=.tools/wasm.sh
source .tools/wasm.sh
# shellcheck source=.tools/page.sh
source .tools/page.sh
# shellcheck source=.tools/model.sh
source .tools/model.sh
# shellcheck source=.tools/serve.sh
source .tools/serve.sh
# shellcheck source=.tools/test.sh
source .tools/test.sh

usage() {
  cat <<'TEXT'
usage: ./build.sh COMMAND

  serve [--port N] [--model FILE.gguf]
          build, fetch the demo model (or link FILE), serve the chat app
  build   build the three wasm binaries and what the page needs beside its files
  test    build, then run every test: host, wasm in Chromium, page end to end
  bench [OPTIONS]
          build, then measure pagelm and its peers in headless Chromium;
          takes hours, with --quick minutes; --help lists the options
  help    show this text

Needed: rustup, Node.js >= 20, Python 3; for `test` and `bench` also Chromium.
What is missing is set up inside this folder, or named with the command to run.
Environment: CHROMIUM and CHROMEDRIVER name the programs if they are not on PATH.
TEXT
}

build() {
  setup_rust
  setup_node
  setup_wasm_bindgen
  setup_npm .tools
  build_wasm
  build_page
}

bench() {
  case " $* " in
    *" --help "*)
      setup_node
      setup_npm tests
      node benches/run.mjs --help
      return
      ;;
    *" --onnx"*) setup_npm benches/transformers ;;
  esac
  build
  fetch_demo_model
  setup_chromium
  setup_npm tests
  setup_npm benches
  node benches/run.mjs --peers "$@"
}

main() {
  local command=${1:-help}
  [ $# -eq 0 ] || shift
  case $command in
    build) build ;;
    serve) serve "$@" ;;
    test) run_tests ;;
    bench) bench "$@" ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      die "unknown command: $command"
      ;;
  esac
}

main "$@"
