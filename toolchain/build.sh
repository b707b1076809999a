#!/bin/sh
# Builds the Pulumi engine and the plugins in cmd/ from Go modules:   build.sh OUTDIR
#
# OUTDIR is laid out as a Pulumi home, so put OUTDIR/bin on PATH and set PULUMI_HOME=OUTDIR:
#   bin/pulumi  bin/pulumi-language-nodejs  plugins/resource-NAME-vVERSION/pulumi-resource-NAME
# (plugins that the engine finds on PATH instead make it print a warning each time).
# What was built from the same sources is left alone. A killed build leaves no half program: each is renamed when done.
# One build at a time in an OUTDIR: the caller holds a lock.
set -eu
umask 022
out=${1:?expected the directory to build into: build.sh OUTDIR}
cd "$(dirname "$0")"
export GOFLAGS=-buildvcs=false GOWORK=off

pulumi=github.com/pulumi/pulumi
release=$(sed -n "s|.*$pulumi/pkg/v3 \(v[0-9.]*\).*|\1|p" go.mod | head -n 1)

# version_of NAME: the version that a plugin of ours stands in for.
version_of() { sed -n 's/^const version = "\(.*\)"$/\1/p' "cmd/pulumi-resource-$1/main.go"; }

# is_built FILE KEY: whether FILE was built from KEY.
is_built() { [ -x "$1" ] && [ "$(cat "$1.key" 2>/dev/null)" = "$2" ]; }

# take_twin FILE KEY: takes over what another folder beside OUTDIR holds built from KEY, so that a changed plugin does
# not link the engine again.
take_twin() {
  for twin in "$(dirname "$out")"/*/"$1"; do
    if is_built "$twin" "$2" && ln -f "$twin" "$out/$1" 2>/dev/null; then echo "$2" >"$out/$1.key" && return; fi
  done
  return 1
}

# build FILE PACKAGE KEY ABOUT [FLAG...]: builds OUTDIR/FILE unless it was built from KEY.
build() {
  file=$out/$1 package=$2 key=$3 about=$4
  is_built "$file" "$key" && return
  mkdir -p "$(dirname "$file")"
  rm -f "$file.key" "$file".building.*
  take_twin "$1" "$key" && return
  shift 4
  echo "pgstack: building ${file##*/} from Go modules ($about)" >&2
  go build -trimpath "$@" -o "$file.building.$$" "$package"
  mv -f "$file.building.$$" "$file"
  echo "$key" >"$file.key"
}

command -v go >/dev/null || {
  echo "pgstack: expected Go >= 1.26 on PATH to build the toolchain, found none; install Go, or the Pulumi CLI itself" >&2
  exit 1
}
modules=$(cat go.mod go.sum | cksum | tr ' ' -)
# keyed FOLDER...: changes with the program's own sources too.
keyed() { find "$@" -name '*.go' ! -name '*_test.go' | sort | xargs cat go.mod go.sum | cksum | tr ' ' -; }

build bin/pulumi "$pulumi/pkg/v3/cmd/pulumi" "$modules" "about 5 minutes on two cores, once" \
  -ldflags "-s -w -X $pulumi/sdk/v3/go/common/version.Version=$release"
build bin/pulumi-language-nodejs ./cmd/pulumi-language-nodejs "$(keyed cmd/pulumi-language-nodejs)" "seconds" -ldflags "-s -w"
for name in command postgresql; do
  build "plugins/resource-$name-v$(version_of $name)/pulumi-resource-$name" "./cmd/pulumi-resource-$name" \
    "$(keyed "cmd/pulumi-resource-$name" "internal/$name" internal/serve)" "seconds" -ldflags "-s -w"
done
