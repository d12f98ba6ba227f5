# shellcheck shell=bash
# The three binaries, one source: cargo -> wasm-bindgen -> wasm-opt -> pkg/wasm.

VARIANTS="simd relaxed threads"

# LLVM's loop strength reduction gives every load of a hot loop an address of its own: with
# offsets in the instructions instead, the products of a prompt are up to 1.8 times as fast.
CODEGEN="-Cllvm-args=-disable-lsr"

# rust_flags VARIANT: what rustc must know, for the crate and all it links.
rust_flags() {
  case $1 in
    simd) echo "-Ctarget-feature=+simd128" ;;
    relaxed) echo "-Ctarget-feature=+simd128,+relaxed-simd" ;;
    # Without these link arguments rustc makes an unshared module, silently.
    threads) echo "-Ctarget-feature=+simd128,+relaxed-simd,+atomics,+bulk-memory,+mutable-globals" \
      "-Clink-arg=--shared-memory -Clink-arg=--import-memory" \
      "-Clink-arg=--max-memory=4294967296" \
      "-Clink-arg=--export=__wasm_init_tls -Clink-arg=--export=__tls_size" \
      "-Clink-arg=--export=__tls_align -Clink-arg=--export=__tls_base" ;;
  esac
}

# Side by side: most of a binary's time is its link-time optimisation, which runs on one core.
build_wasm() {
  local variant jobs="" job failed=""
  # A process group each, which an interrupt has to be handed on to.
  set -m
  for variant in $VARIANTS; do
    (
      cargo_wasm "$variant"
      bind_wasm "$variant"
    ) &
    jobs="$jobs $!"
  done
  set +m
  # shellcheck disable=SC2064 # these jobs
  trap "for job in $jobs; do kill -- -\$job 2>/dev/null; done; exit 130" INT TERM
  for job in $jobs; do wait "$job" || failed=1; done
  trap - INT TERM
  [ -z "$failed" ] || exit 1
}

# As a cdylib alone: beside an rlib, cargo would leave out link-time optimisation.
# A target folder each: the file's name does not depend on the flags.
cargo_wasm() {
  local variant=$1 env std=()
  env=(RUSTFLAGS="$(rust_flags "$variant")")
  if [ "$variant" = threads ]; then
    # The standard library that rustup ships is compiled without atomics.
    std=(-Z "build-std=std,panic_abort")
    env+=(RUSTC_BOOTSTRAP=1)
  fi
  mkdir -p "target/wasm/$variant"
  [ -f "$(raw_wasm "$variant")" ] || say "compiling the $variant binary (the first time takes minutes)"
  local log=target/wasm/$variant/cargo.log failed=""
  # shellcheck disable=SC2086 # a list of options
  env "${env[@]}" cargo rustc --quiet --release --lib --crate-type cdylib --no-default-features \
    --target wasm32-unknown-unknown --target-dir "target/wasm/$variant" \
    ${std[@]+"${std[@]}"} -- $CODEGEN 2>"$log" || failed=1
  # That atomics are unstable is known, and said by rustc at every build.
  sed '/^warning: unstable feature specified for/,/^$/d' "$log" >&2
  [ -z "$failed" ] || die "the $variant binary did not compile"
}

# raw_wasm VARIANT: what cargo makes, before wasm-bindgen.
raw_wasm() { echo "target/wasm/$1/wasm32-unknown-unknown/release/pagelm.wasm"; }

# The optimised file is written last, so its age tells whether all was done.
bind_wasm() {
  local variant=$1 in out=pkg/wasm/$1
  in=$(raw_wasm "$variant")
  stale "$out/pagelm_bg.wasm" "$in" .tools/wasm.sh .tools/package-lock.json Cargo.lock || return 0
  say "binding and optimising the $variant binary"
  local work=target/wasm/$variant/bound
  rm -rf "$work"
  wasm-bindgen --target web --out-dir "$work" --out-name pagelm --no-typescript "$in"
  mkdir -p "$out"
  cp "$work/pagelm.js" "$out/pagelm.js"
  optimise "$variant" "$work/pagelm_bg.wasm" "$work/optimised.wasm"
  cp "$work/optimised.wasm" "$out/pagelm_bg.wasm"
}

optimise() {
  local variant=$1 in=$2 out=$3
  local features="--enable-simd --enable-bulk-memory --enable-bulk-memory-opt --enable-sign-ext
    --enable-mutable-globals --enable-nontrapping-float-to-int --enable-reference-types
    --enable-multivalue --enable-extended-const"
  [ "$variant" = simd ] || features="$features --enable-relaxed-simd"
  [ "$variant" = threads ] && features="$features --enable-threads"
  # shellcheck disable=SC2086 # a list of options
  .tools/node_modules/.bin/wasm-opt -O3 $features --strip-debug --strip-producers "$in" -o "$out"
}
