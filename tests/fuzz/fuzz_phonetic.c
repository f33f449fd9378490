/* fuzz_phonetic.c - any two texts as names, a line each: codes are digits, and whether two names
 * are one person's does not depend on which comes first. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "desk/phonetic.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_code(struct str name)
{
	struct buf out = {.max = 2 * name.len + 1}; /* X is two digits */

	phonetic_code(&out, name);
	assert(!out.failed);
	for (size_t i = 0; i < out.len; i++)
		assert(strchr("0123456780 ", out.ptr[i]));
	assert(!out.len || (out.ptr[0] != ' ' && out.ptr[out.len - 1] != ' '));
	buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes, *stop = len ? memchr(text, '\n', len) : NULL;
	struct str a = {text, stop ? (size_t)(stop - text) : len};
	struct str b = {stop ? stop + 1 : NULL, stop ? len - a.len - 1 : 0};
	bool same = phonetic_same_name(a, b);

	check_code(a);
	check_code(b);
	assert(same == phonetic_same_name(b, a));
	assert(!same || (phonetic_same_name(a, a) && phonetic_same_name(b, b)));
	return 0;
}
