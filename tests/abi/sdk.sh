#!/bin/sh
# sdk.sh BUILD SOURCE MESON - an author's own project finds the SDK both ways: as a subproject, with
# nothing installed, and installed, through pkg-config; by hand, too. What it builds runs.
build=$1 source=$2 meson=$3 faults=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export CC=gcc # not that of a sanitizer's build

fault() {
	echo "$*"
	faults=$((faults + 1))
}

# Quietly, unless it fails.
run() {
	"$@" >"$work/log" 2>&1 && return 0
	cat "$work/log"
	fault "$*"
	return 1
}

# sound FILE.so: one way in, no library, and its cases pass.
sound() {
	exported=$(nm -D --defined-only "$1" | awk '{print $3}')
	[ "$exported" = klinke_plugin_v1 ] || fault "$1 exports" $exported
	readelf -d "$1" | grep NEEDED && fault "$1 needs a library"
	run "$build/host/plugin/klinke-case" "$1" "$source/sdk/samples/cases/pager.json"
}

mkdir -p "$work/own/subprojects"
cp "$source/sdk/samples/pager.c" "$work/own"
cat >"$work/own/meson.build" <<'END'
project('own', 'c', default_options: ['c_std=c11', 'warning_level=3', 'werror=true'])
klinke = dependency('klinke-plugin', version: '>= 1.0', fallback: 'klinke-plugin')
message('plugins go to', klinke.get_variable('plugindir'))
message('cases are run by', klinke.get_variable('case_runner'))
shared_module('pager', 'pager.c', dependencies: klinke, name_prefix: '')
END

mkdir "$work/own/subprojects/klinke-plugin" "$work/none"
cp -r "$source/sdk/meson.build" "$source/sdk/include" "$work/own/subprojects/klinke-plugin"
PKG_CONFIG_LIBDIR=$work/none run "$meson" setup "$work/in" "$work/own"
run ninja -C "$work/in" && sound "$work/in/pager.so"
rm -r "$work/own/subprojects"

run "$meson" install -C "$build" --no-rebuild --tags devel --destdir "$work/root"
[ -x "$(find "$work/root" -name klinke-case)" ] || fault "the case runner is not installed"
PKG_CONFIG_PATH=$(dirname "$(find "$work/root" -name klinke-plugin.pc)")
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR="$work/root"
run "$meson" setup "$work/out" "$work/own"
run ninja -C "$work/out" && sound "$work/out/pager.so"
grep -q "$work/root.*/include" "$work/out/compile_commands.json" || fault "not the installed header"

# shellcheck disable=SC2046
run gcc -std=c11 -fPIC -shared $(pkg-config --cflags klinke-plugin) -o "$work/hand.so" \
	"$source/sdk/samples/pager.c" $(pkg-config --libs klinke-plugin) && sound "$work/hand.so"
for variable in plugindir case_runner; do
	pkg-config --variable=$variable klinke-plugin | grep -q / || fault "no $variable in the .pc"
done
echo "$faults faults"
[ $faults = 0 ]
