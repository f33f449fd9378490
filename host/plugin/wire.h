/* wire.h - what host and worker say to each other, as length-prefixed frames over a socket.
 *
 *   u32 bytes that follow | u32 type | u64 id | body
 *
 * Both ends are the same program on the same machine, so numbers go as they lie in memory. A text
 * is u32 length (all ones: nothing), bytes, NUL; so what is read may point into the frame. Reading
 * trusts nothing: the worker's memory is the plugin's to spoil.
 *
 *   host -> worker   CONFIG (id: number), FORGET (id: number), CALL (id: of the call)
 *   worker -> host   first HELLO or REFUSED, then one ANSWER per CALL, in their order
 */
#ifndef PLUGIN_WIRE_H
#define PLUGIN_WIRE_H

#include "base/plugin_info.h"
#include "plugin/data.h"

struct arena;

#define WIRE_HEAD 16
#define WIRE_MOST ((size_t)64 * 1024 * 1024) /* bytes of one frame */

enum wire_type { WIRE_CONFIG = 1, WIRE_FORGET, WIRE_CALL, WIRE_HELLO, WIRE_REFUSED, WIRE_ANSWER };

struct wire_frame {
	uint32_t type;
	uint64_t id;
	const char *body; /* inside what was read */
	size_t len;
};

/* Writing appends one frame. If it does not fit, buf->failed says so. */
void wire_put_config(struct buf *to, uint64_t number, struct str json);
void wire_put_forget(struct buf *to, uint64_t number);
void wire_put_call(struct buf *to, uint64_t id, uint64_t config, const struct plugin_in *in);
void wire_put_hello(struct buf *to, const struct plugin_info *info);
void wire_put_refused(struct buf *to, const struct error *error);
void wire_put_answer(struct buf *to, uint64_t id, const struct plugin_out *out);

/* The frame that bytes begin with. Its length in bytes; 0: more bytes are needed; -1: broken. */
long wire_next(const char *bytes, size_t len, struct wire_frame *frame);

/* Reading: false if the frame is broken or the arena is full. Arrays are in the arena, texts in the
 * frame. */
bool wire_get_config(const struct wire_frame *frame, struct str *json);
bool wire_get_call(const struct wire_frame *frame, struct arena *arena, uint64_t *config,
	struct plugin_in *in);
bool wire_get_hello(const struct wire_frame *frame, struct arena *arena, struct plugin_info *info);
bool wire_get_refused(const struct wire_frame *frame, struct error *error);
bool wire_get_answer(const struct wire_frame *frame, struct arena *arena, struct plugin_out *out);

#endif
