# shellcheck shell=bash
# The chat page over HTTP on this machine alone. .tools/serve.json has the headers.

SERVER_PID=

serve() {
  local port="" model=""
  while [ $# -gt 0 ]; do
    case $1 in
      --port | --model) [ $# -ge 2 ] || die "$1 needs a value" ;;
    esac
    case $1 in
      --port) port=$2 ;;
      --model) model=$2 ;;
      *) die "unknown option for serve: $1" ;;
    esac
    shift 2
  done
  check_port "$port"
  check_model "$model"
  build
  local query=""
  if [ -n "$model" ]; then
    query=$(link_model "$model")
  else
    fetch_demo_model
  fi
  start_server "${port:-$(free_port)}" "$query"
}

check_port() {
  [ -n "$1" ] || return 0
  case $1 in
    *[!0-9]*) die "--port takes a number, not \"$1\"" ;;
  esac
  if [ "$1" -lt 1 ] || [ "$1" -gt 65535 ]; then die "--port takes 1 to 65535, not $1"; fi
  ! answers "$1" || die "port $1 is in use. Choose another, or leave --port out"
}

check_model() {
  case $1 in
    "" | *.gguf) ;;
    *) die "--model takes a .gguf file, not $1" ;;
  esac
  [ -z "$1" ] || [ -f "$1" ] || die "there is no file $1"
}

# link_model FILE: makes it reachable from the page, prints the query that names it.
link_model() {
  local dir name
  dir=$(cd "$(dirname "$1")" && pwd)
  name=$(basename "$1")
  rm -rf www/models/local
  mkdir -p www/models/local
  ln -s "$dir/$name" "www/models/local/$name"
  node --print '"?model=models/local/" + encodeURIComponent(process.argv[1])' "$name"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port=8080
  while answers "$port"; do port=$((port + 1)); done
  echo "$port"
}

start_server() {
  local port=$1 query=$2
  trap 'stop_server' EXIT
  trap 'exit 0' INT TERM
  NO_UPDATE_CHECK=1 node .tools/node_modules/serve/build/main.js \
    --config "$ROOT/.tools/serve.json" --listen "tcp://127.0.0.1:$port" \
    --no-port-switching --no-request-logging --no-clipboard --no-compression www >/dev/null &
  SERVER_PID=$!
  until answers "$port"; do
    kill -0 "$SERVER_PID" 2>/dev/null || die "the server did not start"
    sleep 0.1
  done
  echo "pagelm is at http://localhost:$port/$query   (Ctrl+C stops it)"
  wait "$SERVER_PID"
}

stop_server() {
  [ -z "$SERVER_PID" ] || kill "$SERVER_PID" 2>/dev/null || true
}
