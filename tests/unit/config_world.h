/* config_world.h - what the tests of the configuration share: four plugins, a checker of
 * expressions that knows no SQL, an environment, and ways to load.
 *
 * Faults are a corpus: tests/unit/config/NAME.ini is loaded, what is told must be NAME.faults to
 * the letter. KLINKE_SOURCE is the root of the source tree (default: the working directory).
 */
#ifndef CONFIG_WORLD_H
#define CONFIG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"

extern const struct config_context world;
extern const struct plugin_info voice;

const struct plugin_info *find_plugin(void *user, const char *name, struct error *error);

char *faults_text(const struct config_faults *faults, bool json); /* free it */
char *whole_file(const char *path);                               /* free it */
struct config *load_good(const char *path);
/* A text as a file of its own; told: NULL, or the faults as printed. */
struct config *load_text(const char *text, char **told);
struct config *reload(struct str snapshot, const struct config *literals, char **told);
void assert_told(const char *ini, const char *expected);
void assert_case(const char *name);
int go_to_cases(void **state); /* the group's setup */

#define CASE(name, file)                                                                           \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		assert_case(file);                                                                 \
	}

#endif
