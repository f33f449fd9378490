#!/bin/sh
# musl.sh MUSL-GCC SOURCE [PLUGIN.so CASES]... - the very .so files that run under glibc do their cases
# under musl, in the smallest host there is: the case runner without workers, libuv, libseccomp and
# libcrypto (musl/), none of which Debian builds for musl. CASES is a file or a folder of files.
compiler=$1 source=$2 faults=0 plugins=0 cases=0
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

rooms=
for part in base/arena base/clock base/error base/json base/json_parse base/json_print base/str \
	base/words base/zone base/zone_rule plugin/call plugin/check plugin/effects plugin/host \
	plugin/load plugin/time plugin/case_expect plugin/case_file plugin/case_kinds plugin/case_main \
	plugin/case_request plugin/case_step; do
	rooms="$rooms $source/host/$part.c"
done
# shellcheck disable=SC2086
"$compiler" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I "$source/host" -I "$source/sdk/include" \
	-o "$work/case" $rooms "$source"/tests/abi/musl/*.c || exit 1
readelf -l "$work/case" | grep -q 'interpreter: .*ld-musl' || {
	echo "the case runner was not linked with musl"
	exit 1
}

while [ $# -ge 2 ]; do
	plugins=$((plugins + 1))
	if [ -d "$2" ]; then set -- "$1" "$2/*.json" "$@"; else set -- "$1" "$2" "$@"; fi
	# shellcheck disable=SC2086
	"$work/case" "$1" $2 >"$work/log" || {
		grep -v '^ok ' "$work/log"
		echo "$1: not under musl what it is under glibc"
		faults=$((faults + 1))
	}
	cases=$((cases + $(grep -c '^ok ' "$work/log")))
	shift 4
done
echo "$plugins plugins, $cases cases, $faults faults"
[ $faults = 0 ] && [ $plugins -gt 0 ] && [ $cases -ge $plugins ]
