/* input.c - what an operation gets: the last mapping, or in =, and the step's arguments over it.
 * Runner's thread. */
#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "pipeline/job_i.h"

static int failed_at(struct error *error, const struct config_place *place, const struct error *why)
{
	return error_set(error, why->code == E_NOMEM ? E_NOMEM : E_INVALID, "%s:%u: %s",
		place->file, place->line, why->text);
}

static int evaluate(struct error *error, struct run *run, struct expr *expr,
	const struct config_place *place, const struct json **value)
{
	struct expr_scope scope = run_scope(run);
	struct error why = {0};

	if (expr_eval(&why, expr, &scope, run->arena, value) < 0)
		return failed_at(error, place, &why);
	return 0;
}

/* An object of our own, that arguments may be set in. */
static struct json *copy_object(struct arena *arena, const struct json *from)
{
	struct json *to = json_object(arena);

	for (size_t i = 0; i < json_count(from); i++) {
		struct str key;
		const struct json *value = json_at(from, i, &key);
		json_set(arena, to, key, value);
	}
	return to;
}

static int base_value(struct error *error, struct run *run, const struct json **value)
{
	const struct plan_step *step = run_step(run);

	*value = NULL;
	if (step && step->in && evaluate(error, run, step->in, &step->config->in.place, value) < 0)
		return error->code;
	if (!step || !step->in)
		*value = json_parse(run->arena, run->mapped, error);
	if (json_type(*value) != JSON_OBJECT)
		return error_set(error, E_INVALID,
			"the input of %s is no JSON object; in = must give one",
			step ? step->config->name : "the operation");
	return 0;
}

int run_input(struct error *error, struct run *run, const struct plan_call *call, struct str *input)
{
	const struct json *base, *value;
	struct json *object;

	if (base_value(error, run, &base) < 0)
		return error->code;
	object = copy_object(run->arena, base);
	for (size_t i = 0; i < call->config->arg_count; i++) {
		const struct plan_arg *arg = &call->args[i];
		value = json_of_text(run->arena, arg->config->value.text);
		if (arg->sql &&
			evaluate(error, run, arg->sql, &arg->config->value.place, &value) < 0)
			return error->code;
		json_put(run->arena, object, arg->config->name, value);
	}
	*input = json_print(run->arena, object);
	return input->ptr ? 0 : error_set(error, E_NOMEM, "no memory for the input");
}
