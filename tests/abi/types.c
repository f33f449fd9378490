/* types.c - every type of the ABI in one object, for abidiff to read from its debug information. */
#include <klinke/plugin.h>

extern const struct every {
	const kl_plugin *plugin;
	const kl_host *host;
	const kl_call *call;
	const kl_option *option;
	const kl_op *op;
	const kl_route *route;
	const kl_credential *credential;
	const kl_pair *pair;
	const kl_field *field;
	const kl_time1 *time1;
	enum kl_type type;
	enum kl_fail fail;
	enum kl_answer_kind answer_kind;
	enum kl_reply_outcome reply_outcome;
	enum kl_repeat repeat;
	enum kl_outcome outcome;
	enum kl_why why;
	enum kl_then then;
	enum kl_scheme scheme;
} every;
const struct every every = {0};
