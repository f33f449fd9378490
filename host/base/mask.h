/* mask.h - persons in texts that are not for them: numbers keep their last two digits, mails their
 * domain, names their initials. Any thread, no memory but the caller's.
 */
#ifndef BASE_MASK_H
#define BASE_MASK_H

#include "base/str.h"

#define MASK_MAX 160

/* All of s is a number, an address or a name. Returns the length of what is in out. */
size_t mask_one(char out[MASK_MAX], struct str s);
/* Something personal begins at text[at]: a number with "+" or a zero in front, or of so many digits
 * that it is one; an address; the value of a JSON member that is called a name. Returns its length
 * in text, 0: none does; *len is that of its mask. Ids, instants and counts are left alone. Asked
 * for each place of a text in turn, but those inside what was found. */
size_t mask_at(struct str text, size_t at, char out[MASK_MAX], size_t *len);

#endif
