/* phonetic.h - do two spoken names mean the same person?
 *
 * What speech recognition writes is rarely how the office spells a caller: "Sputa" for Sputer,
 * "Maier" for Mayr. Names are UTF-8; bytes that are none, digits and marks are passed over.
 * Safe from any thread.
 */
#ifndef DESK_PHONETIC_H
#define DESK_PHONETIC_H

#include "base/str.h"

/* Adds the code of the Kölner Phonetik of each word, separated by one space: "657" for "Müller". A
 * hyphen joins ("Müller-Lüdenscheidt": "65752682"). A word of nothing but H has none. */
void phonetic_code(struct buf *out, struct str name);

/* Do both names plausibly mean one person?
 *
 * One word equals another if consonants have the same code and vowels the same sound: Müller is
 * Mueller, Meyer is Maier, Mayr and Meier, Schmidt is Schmitt, Pfeiffer is Feifer, Sputer is Sputa
 * (a final -er is spoken like -a), Bülow is Bülo. The code alone would also take Müller for Möller
 * and Miller, Kuhn for Kühn, Jansen for Jensen; these are different here: who asks wants to change
 * somebody's appointment, and a wrong "no" only costs a call back. So is Lange, Langer, Lang.
 *
 * Of several words the order does not matter, and the shorter name must be wholly in the longer,
 * with a word of the longer's last name: the last word, or the first if a comma follows
 * ("Müller, Anna"). So "Müller" is "Anna Müller" and "Anna Müller" is "Anna Maria Müller"; but
 * "Anna" is not, nor is "Peter Müller". Either half of a double name is enough ("Anna Müller-Weiß",
 * "Frau Weiß"). "A. Müller" is "Anna Müller". Titles, forms of address and von, van, zu … say
 * nothing. A name of nothing else, of more than 8 words or with a word of more than 60 letters is
 * nobody's. */
bool phonetic_same_name(struct str a, struct str b);

#endif
