/* secret.c - API keys and tokens: out of ${ENV}, @FILE or the text itself into memory of their own.
 *
 * They go straight into memory that is wiped when the config ends, and into nothing else: no fault,
 * no snapshot, no options. Runs on the thread that loads.
 */
#include "config/internal.h"

#include "base/password.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_MAX_BYTES (64u << 10)

char *secret_memory(struct loader *loader, size_t len)
{
	struct secret_block *block = malloc(sizeof(*block) + len + 1);

	if (!block)
		longjmp(loader->nomem, 1);
	block->len = len + 1;
	block->next = loader->config->secrets;
	loader->config->secrets = block;
	block->bytes[len] = '\0';
	return block->bytes;
}

static struct str keep_secret(struct loader *loader, struct str secret)
{
	char *copy = secret_memory(loader, secret.len);

	if (secret.len)
		memcpy(copy, secret.ptr, secret.len);
	return (struct str){copy, secret.len};
}

static void warn_readable(
	struct loader *loader, struct config_place place, const char *path, unsigned mode)
{
	if (mode & 04)
		warn(loader, place, "\"%s\" holds a secret and everybody may read it: chmod o-r %s",
			path, path);
}

static bool secret_from_file(struct loader *loader, struct str *out, const struct value *name)
{
	struct str rest = {name->text.ptr + 1, name->text.len - 1};
	const char *path = files_beside(loader, name->place.file, rest);
	struct error error = {0};
	struct str text;
	unsigned mode;

	wipe(&loader->secret_file);
	buf_init(&loader->secret_file, SECRET_MAX_BYTES);
	if (files_read(loader, &error, path, &loader->secret_file, &mode) < 0) {
		/* Its name is not shown: it might be a password that begins with "@". */
		fault(loader, name->place,
			"the file that \"%s\" names cannot be read (%s); a relative name is looked "
			"up beside "
			"this file",
			name->entry->key, error_name(error.code));
		return false;
	}
	text = (struct str){loader->secret_file.ptr, loader->secret_file.len};
	if (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len && text.ptr[text.len - 1] == '\r')
		text.len--;
	warn_readable(loader, name->place, path, mode);
	*out = keep_secret(loader, text);
	wipe(&loader->secret_file);
	return true;
}

static bool has_variable(const struct entry *entry)
{
	for (size_t i = 0; i < entry->segment_count; i++)
		if (entry->segments[i].text.len &&
			memmem(entry->segments[i].text.ptr, entry->segments[i].text.len, "${", 2))
			return true;
	return false;
}

bool secret_is_literal(const struct entry *entry)
{
	struct str first = entry->segments[0].text;

	return !(first.len > 1 && *first.ptr == '@') && !has_variable(entry);
}

/* As shells take them away, and docker's --env-file and this file do not. */
bool is_quoted(struct str text)
{
	return text.len > 1 && (*text.ptr == '"' || *text.ptr == '\'') &&
	       text.ptr[text.len - 1] == *text.ptr;
}

static bool value_secret(struct loader *loader, struct str *out, bool *literal, struct entry *entry)
{
	struct str written = entry->segments[0].text;
	struct value name;

	*literal = entry->redact = secret_is_literal(entry);
	if (written.len > 1 && written.ptr[0] == '@') {
		if (!value_expand(loader, &name, entry, ' ') ||
			!secret_from_file(loader, out, &name))
			return false;
	} else if (!value_expand_secret(loader, out, entry)) {
		return false;
	}
	if (out->len > 1 && is_quoted(*out))
		warn(loader, entry->place,
			"\"%s\" begins and ends with quotes, and they belong to it: take them "
			"away, "
			"here or where it is set",
			entry->key);
	if (out->len && !memchr(out->ptr, '\0', out->len))
		return true;
	fault(loader, entry->place, "\"%s\" is empty, or holds a NUL", entry->key);
	return false;
}

static bool is_mark(const struct entry *entry)
{
	return str_is(entry->segments[0].text, LITERAL_MARK);
}

bool secret_left_out(const struct loader *loader, const struct entry *entry)
{
	return loader->from_snapshot && is_mark(entry);
}

/* A snapshot has none of the literal ones: they come from the configuration of today. */
static bool from_live(struct loader *loader, const struct config_secret *secret, struct str *out,
	struct entry *entry, const struct config_secret *live)
{
	entry->redact = true;
	if (live && live->count > secret->count) {
		*out = keep_secret(loader, live->values[secret->count]);
		return true;
	}
	warn(loader, entry->place,
		"\"%s\" was written in the file, and the file has it no more; write ${VARIABLE} or "
		"@FILE "
		"instead",
		entry->key);
	return false;
}

void secret_add(struct loader *loader, struct config_secret *secret, struct entry *entry,
	const struct config_secret *live)
{
	struct str value;
	bool literal = true;

	if (secret->count == 2) {
		fault(loader, entry->place,
			"\"%s\" can be given twice at most, the new one and the old one",
			entry->key);
		return;
	}
	if (secret_left_out(loader, entry)) {
		if (!from_live(loader, secret, &value, entry, live))
			return;
	} else {
		if (!value_secret(loader, &value, &literal, entry))
			return;
		if (literal && !password_is_line(value)) /* a hash is no secret in clear */
			warn(loader, entry->place,
				"\"%s\" is a secret; write ${VARIABLE} or @FILE instead",
				entry->key);
	}
	secret->values[secret->count++] = value;
	secret->literal |= literal;
}
