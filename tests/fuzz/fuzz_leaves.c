/* fuzz_leaves.c - any bytes as the file of a damaged database. What is taken for a row must be of
 * types and lengths that can be read to their last byte; the same bytes give the same rows. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "store/leaves.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct sum {
	uint64_t rows, hash;
};

static void mix(struct sum *sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum->hash = (sum->hash ^ p[i]) * UINT64_C(1099511628211);
}

static void on_row(void *user, int64_t rowid, const struct leaf_value *values, unsigned count)
{
	struct sum *sum = user;

	assert(count <= LEAF_COLUMNS);
	sum->rows++;
	mix(sum, &rowid, sizeof(rowid));
	for (unsigned i = 0; i < count; i++) {
		const struct leaf_value *v = &values[i];
		assert(v->type <= LEAF_BLOB);
		assert(v->type != LEAF_NULL || v->len == 0);
		assert(v->type != LEAF_INTEGER || v->len <= 8);
		assert(v->type != LEAF_REAL || v->len == 8);
		mix(sum, &v->type, sizeof(v->type));
		mix(sum, v->bytes, v->len);
		if (v->type == LEAF_INTEGER)
			mix(sum, &v->integer, sizeof(v->integer));
	}
}

static struct sum scan(int fd)
{
	struct sum sum = {0, UINT64_C(14695981039346656037)};
	struct error error = {0};

	assert(leaves_scan(&error, fd, on_row, &sum) == 0);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct sum first, second;
	int fd = memfd_create("leaves", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	first = scan(fd);
	second = scan(fd);
	assert(first.rows == second.rows && first.hash == second.hash);
	close(fd);
	return 0;
}
