# What each command needs, installed only when missing. Sourced by ./dev.
# shellcheck shell=bash

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/openmic"
APT_UPDATED=

say() { printf '\033[1mdev:\033[0m %s\n' "$*"; }
fail() { printf 'dev: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# need_apt NAME=PACKAGE...: NAME is a command that proves the package is there, or empty for a library.
need_apt() {
    local pair missing=()
    for pair in "$@"; do
        local name="${pair%%=*}" package="${pair#*=}"
        if [ -n "$name" ] && have "$name"; then continue; fi
        if have dpkg-query && dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then continue; fi
        missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    have apt-get || fail "missing ${missing[*]}, and there is no apt-get here; install their equivalents and run this again"
    [ "$(id -u)" -eq 0 ] || have sudo || fail "missing ${missing[*]}; as root: apt-get install ${missing[*]}"
    if [ -z "$APT_UPDATED" ]; then
        say "apt-get update"
        logged as_root apt-get update -qq || fail "apt-get update failed; check the package sources and the network"
        APT_UPDATED=yes
    fi
    say "apt-get install ${missing[*]}"
    logged as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        || fail "apt-get install ${missing[*]} failed; run it by hand to see why"
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# Runs a chatty command without its chatter, which is shown when it fails.
logged() {
    mkdir -p "$CACHE"
    "$@" </dev/null >"$CACHE/install.log" 2>&1 || { cat "$CACHE/install.log" >&2; return 1; }
}

need_rust() {
    have cargo || fail "cargo is missing; remedy: install Rust with rustup (https://rustup.rs)"
    # The TLS library, the allocator and the codecs are C and C++. Without nasm OpenH264 builds too, and silently without
    # its assembly: pictures then cost two to three times as much.
    need_apt cc=gcc g++=g++ make=make nasm=nasm
}

need_node() {
    have node && have npm || fail "node or npm is missing; remedy: install Node.js 20.19 or newer with npm"
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
        || fail "Node.js $(node --version) is too old; remedy: install 20.19 or newer"
}

# need_packages DIR: node_modules follows the lock file.
need_packages() {
    local dir="$1" stamp="$1/node_modules/.openmic-installed" lock
    lock=$(sha256sum <"$dir/package-lock.json")
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ]; then return; fi
    say "npm ci in $dir"
    (cd "$dir" && npm ci --no-audit --no-fund --loglevel=error </dev/null)
    echo "$lock" >"$stamp"
}

# The server embeds web/dist, so the bundle is rebuilt when a source of it changed.
need_web() {
    need_node
    need_packages web
    local stamp=web/node_modules/.openmic-built sources
    sources=$(find web \( -name node_modules -o -name dist -o -name test -o -name test-output \) -prune -o -type f -print0 \
        | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    if [ -f web/dist/index.html ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sources" ]; then return; fi
    say "building the web bundle"
    (cd web && npm run --silent build </dev/null)
    echo "$sources" >"$stamp"
}

# need_cargo SUBCOMMAND CRATE
need_cargo() {
    if cargo "$1" --version >/dev/null 2>&1; then return; fi
    say "cargo install $2 (once, some minutes)"
    # Its own target directory: tools are built with other features than ours and would thrash the shared cache.
    CARGO_TARGET_DIR="$CACHE/tools" cargo install --locked --quiet "$2" || fail "cargo install $2 failed; remedy: install $2 by hand"
    rm -rf "$CACHE/tools"
}

need_nextest() { need_cargo nextest cargo-nextest; }

need_fuzz() {
    if ! cargo +nightly --version >/dev/null 2>&1; then
        have rustup || fail "fuzzing needs a nightly toolchain and rustup is missing; remedy: install Rust with rustup"
        say "rustup toolchain install nightly"
        rustup toolchain install nightly --profile minimal || fail "no nightly toolchain; remedy: rustup toolchain install nightly"
    fi
    need_apt cc=gcc g++=g++ nasm=nasm
    need_cargo fuzz cargo-fuzz
}

# Strangers to test against: nginx, Debian's FFmpeg, Chromium, Firefox (80 MB; WebRTC with SDP, ICE and DTLS of its own), GStreamer,
# and WebKitGTK's own small browser under a virtual display, the nearest thing to Safari's HLS.
need_strangers() {
    need_nginx
    need_apt ffmpeg=ffmpeg curl=curl chromium=chromium firefox-esr=firefox-esr =fonts-wqy-microhei Xvfb=xvfb xauth=xauth \
        =libwebkit2gtk-4.1-0 \
        gst-launch-1.0=gstreamer1.0-tools =gstreamer1.0-plugins-base =gstreamer1.0-plugins-good \
        =gstreamer1.0-plugins-bad =gstreamer1.0-plugins-ugly =gstreamer1.0-libav
}

# A proxy for the tests, which start their own; the service that the package starts is stopped.
need_nginx() {
    if have nginx; then return; fi
    need_apt nginx=nginx-light
    if [ -d /run/systemd/system ]; then logged as_root systemctl disable --now nginx; fi
}

# The benchmark's peer.
need_nginx_rtmp() {
    need_nginx
    need_apt =libnginx-mod-rtmp
}

# Debian's FFmpeg has no H.265, AV1 or Opus in FLV; PyPI carries a static build that has.
need_static_ffmpeg() {
    local venv="$CACHE/ffmpeg"
    if [ -z "${OPENMIC_FFMPEG:-}" ]; then
        if ! compgen -G "$venv/lib/*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*" >/dev/null; then
            if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then need_apt =python3 =python3-venv; fi
            say "pip install imageio-ffmpeg (a static FFmpeg for the interop tests)"
            python3 -m venv "$venv"
            "$venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg \
                || fail "no static FFmpeg; remedy: set OPENMIC_FFMPEG to an FFmpeg 7.1 or newer"
        fi
        OPENMIC_FFMPEG=$(compgen -G "$venv/lib/*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*" | head -n 1)
    fi
    export OPENMIC_FFMPEG
}

# It asks the API whatever its document allows and forbids.
need_schemathesis() {
    local venv="$CACHE/schemathesis"
    if [ -z "${OPENMIC_SCHEMATHESIS:-}" ]; then
        OPENMIC_SCHEMATHESIS="$venv/bin/schemathesis"
        if [ ! -x "$OPENMIC_SCHEMATHESIS" ]; then
            if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then need_apt =python3 =python3-venv; fi
            say "pip install schemathesis (it tests the API against its document)"
            python3 -m venv "$venv"
            "$venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis>=4,<5' \
                || fail "no Schemathesis; remedy: set OPENMIC_SCHEMATHESIS to schemathesis 4"
        fi
    fi
    export OPENMIC_SCHEMATHESIS
}

need_interop_packages() {
    if [ -f tests/interop/package-lock.json ]; then need_node; need_packages tests/interop; fi
}
