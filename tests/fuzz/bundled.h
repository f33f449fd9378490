/* bundled.h - the bundled plugins, called in this process, for the fuzz targets.
 *
 * An input begins with head lines up to an empty one: a first line of words, then lines told apart
 * by their first character ("!key=value" an option, "@N" the time in ms, the rest is the target's).
 * seeds.py writes that form. Whatever a plugin answers must keep the contract, and the same call
 * must answer with the same bytes twice.
 */
#ifndef FUZZ_BUNDLED_H
#define FUZZ_BUNDLED_H

#include "base/arena.h"
#include "base/json.h"
#include "plugin/call.h"

#define BUNDLED_LINES 80

struct head {
	struct str words[4]; /* of the first line; nothing where there are fewer */
	struct str lines[BUNDLED_LINES];
	size_t line_count;
	struct str rest; /* behind the empty line */
	int64_t now_ms;
};

/* Takes lines until an empty one. */
void head_read(struct head *head, struct str text);
struct str take_line(struct str *rest);
/* Without its first character, if that is mark; else nothing. */
struct str line_after(struct str line, char mark);
/* UTF-8 without a NUL, as is all that comes from INI files or addresses. */
bool is_text(struct str text);
/* "name=value" or "name: value", at the first mark. false: there is none. */
bool split_pair(struct str line, char mark, struct plugin_pair *pair);

/* NULL: no bundled plugin has that name. Loaded once, for the life of the process. */
const struct loaded *bundled_find(struct str name);
/* Fallbacks, every secret as true, and the "!" lines. NULL: check() complains, so that no host runs
 * with it. */
const struct json *bundled_config(
	const struct loaded *plugin, const struct head *head, struct arena *arena);

/* One call, made twice. Asserts that both say the same and keep the contract. false: it was refused
 * for a limit. Everything is in the arena. */
bool bundled_call(const struct loaded *plugin, const struct json *config,
	const struct plugin_in *in, struct arena *arena, struct plugin_out *out);

/* text if it is JSON of that type, compact; else nothing. */
struct str json_or_nothing(struct arena *arena, struct str text, enum json_type type);

#endif
