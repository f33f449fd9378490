#!/bin/sh
# museum.sh - the museum of compiled plugins: what was built once must load for ever.
#
#	museum.sh add NAME SOURCE     builds the samples into museum/NAME; never over an old one
#	museum.sh again NAME SOURCE   builds them once more and compares: same compilers, same bytes?
#	museum.sh run CASE-RUNNER     every plugin there passes the cases it came with, in a worker
#
# x86-64. A folder holds the plugins, their case files, the header they were built from, who built
# them, and the sums of it all. Add one when the header's minor grows, and with each release.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
museum=$here/museum
flags="-O2 -fPIC -shared -nostdlib -fvisibility=hidden -U_FORTIFY_SOURCE -fno-stack-protector -s
	-Wl,--build-id=none -Wl,--hash-style=gnu -Wl,-z,noseparate-code"

die() {
	echo "museum: $*" >&2
	exit 1
}

build() { # build SOURCE INTO
	cd "$1/sdk/samples" # so that no path of this machine gets into what is built
	# shellcheck disable=SC2086
	{
		gcc -std=c11 $flags -I ../include -o "$2/pager-c.so" pager.c
		gcc -std=c11 $flags -I ../include -o "$2/names-c.so" names.c
		gcc -std=c11 $flags -I ../include -o "$2/sample-c.so" ../../tests/plugins/sample.c
		g++ -std=c++20 -fno-exceptions -fno-rtti $flags -I ../include -o "$2/pager-c++.so" pager.cc
	}
	rustc --edition 2021 -C opt-level=s -C panic=abort -C strip=symbols -C link-arg=-nostdlib \
		-C link-arg=-Wl,--build-id=none -C link-arg=-Wl,-z,noseparate-code \
		-C metadata=museum --crate-type cdylib -o "$2/pager-rust.so" pager.rs
}

builders() {
	for compiler in gcc g++ rustc; do $compiler --version | head -n 1; done
}

add() {
	to=$museum/$1
	[ ! -e "$to" ] || die "$to exists, and what is in a museum stays as it is"
	mkdir -p "$to/klinke"
	build "$2" "$to"
	cp "$2"/sdk/samples/cases/*.json "$2/tests/plugins/cases/sample.json" "$to"
	cp "$2/sdk/include/klinke/plugin.h" "$to/klinke"
	builders >"$to/BUILDERS"
	cd "$to"
	sha256sum ./*.so ./*.json klinke/plugin.h BUILDERS >SUMS
}

again() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	builders | cmp - "$museum/$1/BUILDERS" || die "other compilers: nothing to compare"
	build "$2" "$work"
	for plugin in "$work"/*.so; do
		cmp "$plugin" "$museum/$1/$(basename "$plugin")"
	done
}

run() {
	faults=0 shown=0
	for room in "$museum"/*/; do
		(cd "$room" && sha256sum --quiet --check SUMS) || faults=$((faults + 1))
		for plugin in "$room"*.so; do
			name=$(basename "$plugin" .so)
			shown=$((shown + 1))
			"$1" --worker "$plugin" "$room${name%-*}.json" || {
				echo "$plugin: does not do any more what it did"
				faults=$((faults + 1))
			}
		done
	done
	echo "$shown plugins, $faults faults"
	[ $faults = 0 ] && [ $shown -ge 5 ]
}

case ${1-} in
add | again) [ $# = 3 ] && "$@" ;;
run) [ $# = 2 ] && "$@" ;;
*) die "museum.sh add NAME SOURCE | again NAME SOURCE | run CASE-RUNNER" ;;
esac
