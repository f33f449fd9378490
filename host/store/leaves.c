/* leaves.c - SQLite's file format as far as rows of tables need it
 * (https://www.sqlite.org/fileformat2.html): pages, cells, overflow pages, records. Never believes
 * a length or a page number. The caller's thread. */
#include "store/leaves.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define PAGE_USUAL 4096 /* if the file's head does not say */
#define HEAD 100        /* of the file, on its first page */
#define LEAF_OF_TABLE 0x0d
#define LEAF_HEAD 8
#define ROW_MAX ((uint64_t)256 << 20)

struct scan {
	int fd;
	uint32_t page_size, usable, pages;
	uint8_t *page, *overflow, *row; /* row: grows */
	size_t row_room;
	leaf_found *found;
	void *user;
};

static uint32_t big16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t big32(const uint8_t *p)
{
	return big16(p) << 16 | big16(p + 2);
}

/* At most 9 bytes, the ninth whole. 0: it does not end before end. */
static size_t varint(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < 8 && p + i < end; i++) {
		n = n << 7 | (p[i] & 0x7f);
		if (p[i] < 0x80) {
			*out = n;
			return i + 1;
		}
	}
	if (i < 8 || p + 8 >= end)
		return 0;
	*out = n << 8 | p[8];
	return 9;
}

static bool read_page(struct scan *s, uint32_t number, uint8_t *into)
{
	ssize_t n = pread(s->fd, into, s->page_size, (off_t)(number - 1) * s->page_size);

	return n == (ssize_t)s->page_size;
}

/* ---- records ------------------------------------------------------------------------------ */

static int64_t big_integer(const uint8_t *p, size_t len)
{
	uint64_t n = p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | p[i];
	return (int64_t)n;
}

/* How many bytes a value of this kind takes, and which type it is. */
static bool kind_of(uint64_t serial, enum leaf_type *type, uint64_t *len)
{
	static const uint8_t integers[] = {0, 1, 2, 3, 4, 6, 8};

	if (serial == 10 || serial == 11)
		return false; /* SQLite's own */
	*len = serial >= 12  ? (serial - 12) / 2
	       : serial <= 6 ? integers[serial]
	       : serial == 7 ? 8
			     : 0;
	if (serial >= 12)
		*type = serial & 1 ? LEAF_TEXT : LEAF_BLOB;
	else
		*type = serial == 0 ? LEAF_NULL : serial == 7 ? LEAF_REAL : LEAF_INTEGER;
	return true;
}

static void read_value(struct leaf_value *value, uint64_t serial, const uint8_t *at)
{
	if (value->type == LEAF_INTEGER)
		value->integer = serial >= 8 ? (int64_t)(serial - 8) : big_integer(at, value->len);
	if (value->type == LEAF_REAL) {
		int64_t bits = big_integer(at, 8);
		memcpy(&value->real, &bits, sizeof(bits));
	}
	value->bytes = (const char *)at;
}

static void read_record(struct scan *s, int64_t rowid, const uint8_t *row, size_t len)
{
	struct leaf_value values[LEAF_COLUMNS];
	uint64_t head, serial, size;
	size_t at = varint(row, row + len, &head), n;
	const uint8_t *body;
	unsigned count = 0;

	if (!at || head > len || head < at)
		return;
	for (body = row + head; at < head; at += n) {
		struct leaf_value *value = &values[count];
		n = varint(row + at, row + head, &serial);
		if (!n || count == LEAF_COLUMNS || !kind_of(serial, &value->type, &size) ||
			size > (size_t)(row + len - body))
			return;
		value->len = (size_t)size;
		read_value(value, serial, body);
		body += size;
		count++;
	}
	s->found(s->user, rowid, values, count);
}

/* ---- cells -------------------------------------------------------------------------------- */

static bool make_room(struct scan *s, size_t len)
{
	uint8_t *grown;

	if (len <= s->row_room)
		return true;
	grown = realloc(s->row, len);
	if (!grown)
		return false;
	s->row = grown;
	s->row_room = len;
	return true;
}

/* What lies on the leaf itself if a row is longer than that. */
static size_t local_part(const struct scan *s, uint64_t len)
{
	uint64_t most = s->usable - 35, least = (s->usable - 12) * 32 / 255 - 23;
	uint64_t part = least + (len - least) % (s->usable - 4);

	if (len <= most)
		return (size_t)len;
	return (size_t)(part <= most ? part : least);
}

/* Each page holds the number of the next and a piece. A ring ends with the row's length. */
static bool follow(struct scan *s, uint32_t next, size_t have, size_t len)
{
	while (have < len) {
		size_t piece = len - have < s->usable - 4 ? len - have : s->usable - 4;
		if (next < 2 || next > s->pages || !read_page(s, next, s->overflow))
			return false;
		memcpy(s->row + have, s->overflow + 4, piece);
		have += piece;
		next = big32(s->overflow);
	}
	return true;
}

static void read_cell(struct scan *s, size_t at)
{
	const uint8_t *end = s->page + s->usable, *p = s->page + at;
	uint64_t len, rowid;
	size_t n, local;

	n = varint(p, end, &len);
	if (!n || len > ROW_MAX || len > (uint64_t)s->pages * s->page_size)
		return;
	p += n;
	n = varint(p, end, &rowid);
	if (!n)
		return;
	p += n;
	local = local_part(s, len);
	if (local + (local < len ? 4 : 0) > (size_t)(end - p))
		return;
	if (local == len) {
		read_record(s, (int64_t)rowid, p, local);
		return;
	}
	if (!make_room(s, (size_t)len))
		return;
	memcpy(s->row, p, local);
	if (follow(s, big32(p + local), local, (size_t)len))
		read_record(s, (int64_t)rowid, s->row, (size_t)len);
}

static void read_leaf(struct scan *s, uint32_t number)
{
	size_t head = number == 1 ? HEAD : 0;
	size_t count, i;

	if (!read_page(s, number, s->page) || s->page[head] != LEAF_OF_TABLE)
		return;
	count = big16(s->page + head + 3);
	for (i = 0; i < count && head + LEAF_HEAD + 2 * i + 2 <= s->usable; i++) {
		size_t at = big16(s->page + head + LEAF_HEAD + 2 * i);
		if (at >= head + LEAF_HEAD && at < s->usable)
			read_cell(s, at);
	}
}

/* ---- the file ----------------------------------------------------------------------------- */

static void read_head(struct scan *s)
{
	uint8_t head[HEAD] = {0};
	uint32_t size = 0;

	if (pread(s->fd, head, sizeof(head), 0) == (ssize_t)sizeof(head))
		size = big16(head + 16) == 1 ? 65536 : big16(head + 16);
	s->page_size = size >= 512 && (size & (size - 1)) == 0 ? size : PAGE_USUAL;
	s->usable = s->page_size - (size == s->page_size ? head[20] : 0);
	if (s->usable < 480) /* the format's own least */
		s->usable = s->page_size;
}

int leaves_scan(struct error *error, int fd, leaf_found *found, void *user)
{
	struct scan s = {.fd = fd, .found = found, .user = user};
	struct stat st;
	uint32_t i;
	int rc = 0;

	read_head(&s);
	if (fstat(fd, &st) != 0)
		return error_set(error, E_IO, "the size of the store's file cannot be read");
	s.pages = (uint32_t)(st.st_size / s.page_size);
	s.page = malloc(s.page_size);
	s.overflow = malloc(s.page_size);
	if (!s.page || !s.overflow)
		rc = error_set(error, E_NOMEM, "no memory to read the store's pages");
	for (i = 1; !rc && i <= s.pages; i++)
		read_leaf(&s, i);
	free(s.page);
	free(s.overflow);
	free(s.row);
	return rc;
}
