# Brings in what ./pgstack needs: npm packages (Node among them), a pulumi with its plugins. Sourced by ./pgstack and install.sh.
# shellcheck shell=sh

pulumi_version=3.274.1

say() { printf 'pgstack: %s\n' "$*" >&2; }
refuse() { say "$*"; exit 2; }

# One set-up at a time; the kernel gives the lock back however its holder ends.
with_setup_lock() {
  mkdir -p "$cache" "$state" && exec 9>>"$1"
  if command -v flock >/dev/null; then
    flock -n 9 || { say "waiting for another set-up to finish"; flock 9; }
  else
    perl -MFcntl=:flock -e 'open(my $lock, ">&=", 9) or die $!; flock($lock, LOCK_EX) or die $!'
  fi
  shift
  "$@"
  exec 9>&-
}

# Linked packages are kept up to date where they are: npm would empty the folder behind the link.
packages_current() { [ -L "$root/node_modules" ] || cmp -s "$root/package-lock.json" "$root/node_modules/.pgstack"; }

install_packages() {
  packages_current && return 0
  command -v npm >/dev/null || refuse "npm is needed to bring in Node and the packages: install Node (any version with npm)"
  say "installing npm packages (about half a minute)"
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error >&2) || { say "npm ci failed"; exit 1; }
  cp "$root/package-lock.json" "$root/node_modules/.pgstack"
}

# The engine and our plugins change apart from each other, so that a changed plugin is quick to build.
toolchain_key() {
  (cd "$root/toolchain" && { cat go.mod go.sum build.sh && find . -name '*.go' ! -name '*_test.go' | LC_ALL=C sort | xargs cat; } | cksum | tr -d ' ')
}

platform() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo linux-x64 ;;
    Linux-aarch64 | Linux-arm64) echo linux-arm64 ;;
    Darwin-x86_64) echo darwin-x64 ;;
    Darwin-arm64) echo darwin-arm64 ;;
    *) return 1 ;;
  esac
}

checksum_tool() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# The official release, verified against the checksums that its maintainers publish with it. Fails where the
# network does not reach them; it waits for at most 10 s to connect and 5 minutes in all.
download_pulumi() {
  command -v curl >/dev/null && name=pulumi-v$pulumi_version-$(platform).tar.gz || return 1
  mkdir -p "$cache" && place=$(mktemp -d "$cache/download.XXXXXX") || return 1
  if fetch "https://github.com/pulumi/pulumi/releases/download/v$pulumi_version/pulumi-$pulumi_version-checksums.txt" "$place/sums" &&
    say "downloading Pulumi $pulumi_version" &&
    fetch "https://get.pulumi.com/releases/sdk/$name" "$place/$name" &&
    (cd "$place" && grep " \*\{0,1\}$name\$" sums | checksum_tool -c - >/dev/null) &&
    tar -xzf "$place/$name" -C "$place" && mkdir -p "$cache/official" &&
    mv "$place/pulumi" "$cache/official/$pulumi_version"; then
    rm -rf "$place"
  else
    rm -rf "$place"
    return 1
  fi
}

fetch() { curl --fail --silent --location --connect-timeout 10 --max-time 300 --output "$2" "$1"; }

build_toolchain() {
  command -v go >/dev/null || refuse "Pulumi is needed: install it (https://www.pulumi.com/docs/install/), or Go 1.26 to build it"
  say "no Pulumi on PATH and no way to its download: building it from Go modules (about 5 minutes, once)"
  sh "$root/toolchain/build.sh" "$built" || { say "the toolchain did not build; the messages above say why"; exit 1; }
  : >"$built/complete"
}

# Sets toolchain_path: the folder to put on PATH, empty where pulumi is there already.
find_toolchain() {
  toolchain_path=
  case $(command -v pulumi || true) in '' | "$cache"/*) ;; *) return 0 ;; esac
  toolchain_path=$cache/official/$pulumi_version
  [ -x "$toolchain_path/pulumi" ] && return 0
  built=$cache/toolchain-$(toolchain_key)
  toolchain_path=$built/bin
  [ -f "$built/complete" ]
}

install_toolchain() {
  find_toolchain && return 0
  if download_pulumi; then toolchain_path=$cache/official/$pulumi_version; else build_toolchain; fi
}

has_postgresql() {
  for program in "$(command -v initdb)" /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
    /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb \
    /Applications/Postgres.app/Contents/Versions/*/bin/initdb; do
    [ ! -x "$program" ] || return 0
  done
  return 1
}

# Debian installs without a question for root, and must not start a server of its own.
need_postgresql() {
  has_postgresql && return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    refuse "PostgreSQL's server programs (initdb, postgres) are needed: install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql@18)"
  say "installing PostgreSQL by apt-get"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2 && apt-get install -y -qq postgresql-common >&2 &&
    sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf &&
    apt-get install -y -qq postgresql >&2
}

has_pgbouncer() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer >/dev/null; }

# install_for_tests PACKAGE: a package's service does not start where policy-rc.d says no.
install_for_tests() {
  say "installing $1 by apt-get"
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d code=0
  [ ! -e "$policy" ] || policy=
  [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; }
  apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$1" >&2 || code=$?
  [ -z "$policy" ] || rm -f "$policy"
  return "$code"
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Only the tests need it.
need_pgbouncer() {
  has_pgbouncer && return 0
  can_install ||
    refuse "PgBouncer is needed for the tests: install it (Debian: apt-get install pgbouncer; macOS: brew install pgbouncer)"
  install_for_tests pgbouncer
}

# Only the tests of tunnels need it, and they are skipped without it.
need_sshd() {
  PATH=$PATH:/usr/sbin:/usr/local/sbin command -v sshd >/dev/null && return 0
  can_install && install_for_tests openssh-server || say "no sshd: the tests of tunnels are skipped"
}

# Only the tests of pages need it, and they are skipped without it.
need_chromium() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    ! command -v "$name" >/dev/null || return 0
  done
  can_install && install_for_tests chromium || say "no Chromium: the tests of pages are skipped"
}

set_up_packages() {
  packages_current || with_setup_lock "$state/setup.lock" install_packages
  export PATH="$root/node_modules/.bin:$PATH"
  export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$cache/node}" # each start of the runner then takes 0.1 s less
}
