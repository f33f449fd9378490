"""Plugins that a test writes in C, compiled into a world's own directory of plugins."""
import os
import subprocess

from world import TOP

# What their sources begin with: accept_all() for .verify, has() to look for a word.
HEAD = r"""
#include <klinke/sugar.h>
#include <stdlib.h>
#include <string.h>

static int has(kl_str text, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= text.len; i++)
		if (memcmp(text.ptr + i, word, n) == 0)
			return 1;
	return 0;
}
static const kl_answer *accept_all(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);
	(void)in;
	if (a)
		a->kind = KL_ACCEPT;
	return a;
}
"""


def put_plugin(world, name, source):
    """Compiles it to NAME.so, instead of the one that is there, if any."""
    plugins = world.directory / "plugins"
    if not plugins.exists():
        plugins.mkdir()
        world.ini["host"]["plugins"] += f" {plugins}"
    file = plugins / f"{name}.c"
    file.write_text(source)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-fvisibility=hidden", "-O1",
                    "-I", str(TOP / "sdk" / "include"), "-o", str(plugins / f"{name}.so"), str(file)],
                   check=True)
