/* say_table.h - the sentences: SAY_LINE(ID, German, English). Included by say.h and say.c; so it
 * has no guard. {1} … {4} are put in as they are. */
SAY_LINE(NOTHING, "", "")
