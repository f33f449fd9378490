/* check.c - is this configuration fine? Starts nothing, changes nothing. */
#include <stdio.h>

#include "base/error.h"
#include "command/command.h"
#include "command/setup.h"

static int run(const struct invocation *in)
{
	struct config_faults faults = {0};
	struct error error = {0};
	struct setup *setup;
	struct config *config;

	if (in->count)
		return usage_error(in, "it takes no arguments; -c FILE names the configuration");
	setup = setup_create(&error, in->zygote);
	if (!setup)
		return fail(in, &error);
	config = setup_load(setup, in->config, &faults);
	config_faults_print(in->json ? stdout : stderr, &faults, in->json);
	if (config && !in->json)
		printf("%s is fine\n", in->config);
	config_unref(config);
	setup_destroy(setup);
	config_faults_finish(&faults);
	return config ? EXIT_OK : EXIT_CONFIG;
}

const struct command command_check = {
	.name = "check",
	.run = run,
	.usage = "[-c FILE] [OPTIONS]",
	.summary = "tell everything that is wrong with the configuration",
	.help = "0: fine (there may be warnings). 78: every fault is told as FILE:LINE:COL, all at "
		"once.\n"
		"Plugins are loaded and asked about their options; nothing is sent.\n",
	.options = "config= json",
	.needs_zygote = true,
};
