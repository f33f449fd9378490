#!/bin/sh
# Every case of the file is wrong, so the runner must find a fault in each, and say so with its code.
out=$("$1" "$2" "$3") && { echo "the runner ended with 0"; exit 1; }
printf '%s\n' "$out"
passed=$(printf '%s\n' "$out" | grep -c '^ok ')
failed=$(printf '%s\n' "$out" | grep -c '^not ok ')
[ "$passed" = 0 ] && [ "$failed" -ge 10 ]
