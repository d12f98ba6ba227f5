# shellcheck shell=bash
# What the page needs beside its own files: the package, modules of npm, icons,
# and the list of all that the service worker keeps.

build_page() {
  [ -e www/pkg ] || ln -s ../pkg www/pkg
  vendor marked lib/marked.esm.js marked.js
  vendor dompurify dist/purify.es.mjs dompurify.js
  vendor @highlightjs/cdn-assets es/highlight.min.js highlight.js
  # Temml's module is not to be had minified: its script names one global.
  vendor temml dist/temml.min.js temml.js "export default temml;"
  node .tools/icons.mjs www/favicon.svg www/icons
  node .tools/shell.mjs www
}

# vendor PACKAGE FILE NAME [LINE]: FILE of the npm package and its licence, into
# www/vendor, with LINE at its end. Their source maps stay behind, so the
# reference to them goes too.
vendor() {
  local from=.tools/node_modules/$1 to=www/vendor/$3
  stale "$to" "$from/$2" .tools/node_modules/.installed-lock .tools/page.sh || return 0
  mkdir -p www/vendor
  cp "$from/LICENSE" "www/vendor/LICENSE-${3%.js}"
  { sed '/^\/\/# sourceMappingURL=/d' "$from/$2" && echo "${4:-}"; } >"$to"
}
