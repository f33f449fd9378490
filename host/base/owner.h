/* owner.h - whose a file or directory is, for the error of somebody who was refused. */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#define OWNER_TEXT 160

/* Behind "Permission denied": "; it belongs to klinke: run it as klinke (sudo -u klinke …)". Empty if
 * PATH cannot be asked or is the caller's own. Leaves errno as it was. Any thread. */
const char *owner_remedy(char out[OWNER_TEXT], const char *path);

#endif
