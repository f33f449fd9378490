#include "command/plugin.h"
int plugin_new(const struct invocation *in)
{
	return usage_error(in, "not yet");
}
