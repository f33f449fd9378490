/* plugin_info.h - what a plugin says about itself, as plain data.
 *
 * The plugin room fills it (from the plugin's descriptor, read in a worker), the config room
 * checks INI against it, the commands print it. Immutable; strings live as long as the struct.
 */
#ifndef BASE_PLUGIN_INFO_H
#define BASE_PLUGIN_INFO_H

#include <stddef.h>
#include <stdint.h>

struct plugin_option {
	const char *key; /* "*": any other key */
	uint32_t kind;   /* KL_OPT_* of klinke/plugin.h, with its flags */
	const char *fallback, *choices, *help; /* NULL: none */
};
struct plugin_op {
	const char *name;
	uint32_t kind; /* KL_OP_* */
	const char *schema, *help;
};
struct plugin_route {
	const char *name;
	uint32_t reply_ms;
	const char *help;
};
struct plugin_credential {
	const char *name;
	uint32_t scheme; /* KL_AUTH_* */
	const char *secret, *user, *param;
};
struct plugin_info {
	const char *name; /* as in plugin = NAME: the file's name without .so */
	const char *path;
	const char *id, *version, *summary, *events, *hosts;
	uint32_t state_version;
	const struct plugin_option *options;
	size_t option_count;
	const struct plugin_op *ops;
	size_t op_count;
	const struct plugin_route *routes;
	size_t route_count;
	const struct plugin_credential *credentials;
	size_t credential_count;
	uint8_t can_check, can_verify, can_normalize, can_reply, can_step, can_map;
};

#endif
