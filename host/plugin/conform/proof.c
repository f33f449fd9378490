/* proof.c - a webhook that is genuine, and the same one with a bit flipped. Runs in children. */
#include <klinke/plugin.h>
#include <stdio.h>
#include <string.h>

#include "plugin/case.h"
#include "plugin/conform/kit.h"

#define BODY_MOST 64u /* places of a body that are tried */

struct genuine {
	struct child *child;
	uint32_t sample;
	const struct json *secrets;
};

static bool accepted(struct genuine *g, const struct input *input, struct plugin_out *out)
{
	child_call(g->child, input, out);
	return out->status == PLUGIN_OK &&
	       (out->answer.kind == KL_ACCEPT || out->answer.kind == KL_HANDSHAKE) &&
	       case_proofs_hold(g->secrets, out);
}

/* Bit 0: a digit becomes another, a letter no hex digit or another one. */
static struct str flipped(struct arena *arena, struct str text, size_t at)
{
	char *copy = arena_strndup(arena, text.ptr, text.len);

	if (copy)
		copy[at] ^= 1;
	return (struct str){copy, copy ? text.len : 0};
}

/* ---- the body ----------------------------------------------------------------------------- */

static void flip_body(struct genuine *g)
{
	struct plugin_out out;
	struct input input;
	size_t len, i, count;

	if (!child_take(g->child, g->sample, &input))
		return;
	len = input.in.inbound.body.len;
	count = len < BODY_MOST ? len : BODY_MOST;
	for (i = 0; i < count; i++) {
		size_t at = count > 1 ? i * (len - 1) / (count - 1) : 0;
		if (!child_take(g->child, g->sample, &input))
			return;
		input.in.inbound.body = flipped(g->child->decode, input.in.inbound.body, at);
		if (!child_at(g->child, (uint32_t)i, "%s, bit 0 of byte %zu of the body flipped",
			    kit_sample_name(g->child->kit, g->sample), at) ||
			!accepted(g, &input, &out))
			continue;
		child_find(g->child, NULL,
			"put the whole body, as it came, into the pieces of require_mac()",
			"verify() accepts a body that is not the one that was signed");
		return;
	}
}

/* ---- headers and query -------------------------------------------------------------------- */

/* Is the webhook refused without this one, or with a bit of it flipped in its middle or end? */
static bool is_needed(struct genuine *g, bool query, size_t nth, size_t at)
{
	struct plugin_pair *items;
	struct plugin_pairs *pairs;
	struct plugin_out out;
	struct input input;

	if (!child_take(g->child, g->sample, &input))
		return false;
	pairs = query ? &input.in.inbound.query : &input.in.inbound.headers;
	items = (struct plugin_pair *)pairs->items;
	if (at >= items[nth].value.len)
		return false;
	items[nth].value = flipped(g->child->decode, items[nth].value, at);
	return !accepted(g, &input, &out);
}

static bool any_needed(struct genuine *g, bool query, struct plugin_pairs pairs)
{
	size_t i, at;

	for (i = 0; i < pairs.count; i++)
		for (at = 0; at < pairs.items[i].value.len && at < 512; at++)
			if (is_needed(g, query, i, at))
				return true;
	return false;
}

static void flip_lines(struct genuine *g)
{
	struct plugin_inbound inbound;
	struct input input;

	if (!child_at(g->child, BODY_MOST, "%s, one bit of a header or parameter flipped",
		    kit_sample_name(g->child->kit, g->sample)) ||
		!child_take(g->child, g->sample, &input))
		return;
	inbound = input.in.inbound;
	if (!any_needed(g, false, inbound.headers) && !any_needed(g, true, inbound.query))
		child_find(g->child, NULL,
			"take the signature or token from the request: require_mac() or "
			"require_secret() with what came, not with a constant",
			"verify() accepts the webhook whatever its headers and parameters are");
}

/* Nothing of what came along may be needless all at once. */
static void drop_lines(struct genuine *g)
{
	struct plugin_out out;
	struct input input;

	if (!child_at(g->child, BODY_MOST + 1, "%s, without any header or parameter",
		    kit_sample_name(g->child->kit, g->sample)) ||
		!child_take(g->child, g->sample, &input))
		return;
	input.in.inbound.headers.count = input.in.inbound.query.count = 0;
	if (accepted(g, &input, &out))
		child_find(g->child, NULL,
			"answer KL_REJECT when the signature or token is not there at all",
			"verify() accepts the webhook when its proof is left out");
}

/* ---- one sample --------------------------------------------------------------------------- */

static bool has_proof(struct child *child, uint32_t i)
{
	struct plugin_out out;
	struct input input;

	if (child->kit->samples[i].kind != PLUGIN_VERIFY || !child_take(child, i, &input))
		return false;
	child_call(child, &input, &out);
	return out.status == PLUGIN_OK && out.answer.kind != KL_REJECT &&
	       out.macs.count + out.secrets.count > 0;
}

/* Does it ask anybody for a proof, and anybody with this configuration? */
static void accepted_unproved(struct child *child, uint32_t i)
{
	const struct kit *kit = child->kit;
	bool anybody = false, here = false;
	uint32_t k;

	for (k = 0; k < kit->sample_count && !here; k++)
		if (has_proof(child, k)) {
			anybody = true;
			here = str_eq(kit->samples[k].config, kit->samples[i].config);
		}
	if (anybody && !here)
		child_note(child, NULL,
			"be sure that an operator has to ask for this in so many words",
			"with this configuration verify() accepts a webhook that proves nothing");
	else
		child_find(child, NULL,
			"call require_mac() or require_secret() before KL_ACCEPT; without a "
			"secret in the configuration answer KL_REJECT",
			"verify() accepts a webhook that proves nothing");
}

static void forged(struct child *child, uint32_t i)
{
	const struct sample *sample = &child->kit->samples[i];
	struct genuine g = {child, i, sample->secrets};
	struct plugin_out out;
	struct input input;

	if (sample->kind != PLUGIN_VERIFY ||
		!child_at(child, child->first_part, "%s", kit_sample_name(child->kit, i)) ||
		!child_take(child, i, &input) || !accepted(&g, &input, &out))
		return;
	if (!out.macs.count && !out.secrets.count) {
		accepted_unproved(child, i);
		return;
	}
	child->shared->hashes[i] = 1; /* a genuine one was tried */
	if (out.macs.count)
		flip_body(&g);
	flip_lines(&g);
	drop_lines(&g);
}

void check_signature(struct kit *kit)
{
	const struct probe probe = {.check = "signature",
		.items = kit->sample_count,
		.run = forged,
		.dead = "whatever strangers send, do not crash: every byte of a webhook is theirs"};
	unsigned tried = 0;
	uint32_t i;

	if (!kit->info.can_verify) {
		kit->note = "it takes no webhooks";
		return;
	}
	memset(kit->shared->hashes, 0, sizeof(kit->shared->hashes));
	probe_run(kit, &probe);
	for (i = 0; i < kit->sample_count; i++)
		tried += kit->shared->hashes[i] != 0;
	kit->note = arena_printf(kit->arena, "%u genuine webhook%s", tried, tried == 1 ? "" : "s");
	if (!tried)
		kit_find(kit, "signature", true, "",
			"write a case with \"secrets\" and a webhook that is "
			"accepted",
			"no case shows a genuine webhook, so no forged one could be tried");
}
