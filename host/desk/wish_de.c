/* wish_de.c - the German words of the wish resolver, folded (small, no umlauts). Only tables and
 * the words for numbers. Pure; any thread. */
#include <string.h>

#include "desk/wish_i.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A day of the week in all its forms; an s or a plural makes it every one. */
#define WEEKDAY(name, n)                                                                           \
	{name, W_WEEKDAY, n, false}, {name "s", W_WEEKDAY, n, true},                               \
		{name "e", W_WEEKDAY, n, true},                                                    \
	{                                                                                          \
		name "en", W_WEEKDAY, n, true                                                      \
	}
#define INFLECTED(stem, kind, value)                                                               \
	{stem "e", kind, value, false}, {stem "en", kind, value, false},                           \
		{stem "er", kind, value, false}, {stem "es", kind, value, false},                  \
	{                                                                                          \
		stem "em", kind, value, false                                                      \
	}

static const struct entry entries[] = {
	WEEKDAY("montag", 1),
	WEEKDAY("dienstag", 2),
	WEEKDAY("mittwoch", 3),
	WEEKDAY("donnerstag", 4),
	WEEKDAY("freitag", 5),
	WEEKDAY("samstag", 6),
	WEEKDAY("sonnabend", 6),
	WEEKDAY("sonntag", 7),
	{"mo", W_WEEKDAY, 1, false},
	{"di", W_WEEKDAY, 2, false},
	{"mi", W_WEEKDAY, 3, false},
	{"do", W_WEEKDAY, 4, false},
	{"fr", W_WEEKDAY, 5, false},
	{"sa", W_WEEKDAY, 6, false},
	{"mon", W_WEEKDAY, 1, false},
	{"die", W_ART, 0, false},
	{"don", W_WEEKDAY, 4, false},
	{"so", W_SO, 7, false},

	{"januar", W_MONTH, 1, false},
	{"janner", W_MONTH, 1, false},
	{"jan", W_MONTH, 1, false},
	{"februar", W_MONTH, 2, false},
	{"feber", W_MONTH, 2, false},
	{"feb", W_MONTH, 2, false},
	{"marz", W_MONTH, 3, false},
	{"mrz", W_MONTH, 3, false},
	{"mar", W_MONTH, 3, false},
	{"april", W_MONTH, 4, false},
	{"apr", W_MONTH, 4, false},
	{"mai", W_MONTH, 5, false},
	{"juni", W_MONTH, 6, false},
	{"juno", W_MONTH, 6, false},
	{"jun", W_MONTH, 6, false},
	{"juli", W_MONTH, 7, false},
	{"julei", W_MONTH, 7, false},
	{"jul", W_MONTH, 7, false},
	{"august", W_MONTH, 8, false},
	{"aug", W_MONTH, 8, false},
	{"september", W_MONTH, 9, false},
	{"sept", W_MONTH, 9, false},
	{"sep", W_MONTH, 9, false},
	{"oktober", W_MONTH, 10, false},
	{"okt", W_MONTH, 10, false},
	{"november", W_MONTH, 11, false},
	{"nov", W_MONTH, 11, false},
	{"dezember", W_MONTH, 12, false},
	{"dez", W_MONTH, 12, false},

	{"heute", W_RELDAY, 0, false},
	{"heut", W_RELDAY, 0, false},
	{"ubermorgen", W_RELDAY, 2, false},
	{"uberubermorgen", W_RELDAY, 3, false},
	{"gestern", W_RELDAY, -1, false},
	{"vorgestern", W_RELDAY, -2, false},
	{"morgen", W_MORNING, 1, false},

	{"morgens", W_PART, WISH_EARLY, false},
	{"fruhmorgens", W_PART, WISH_EARLY, false},
	{"fruhs", W_PART, WISH_EARLY, false},
	{"morgenstunden", W_PART, WISH_EARLY, false},
	{"vormittag", W_PART, WISH_FORENOON, false},
	{"vormittags", W_PART, WISH_FORENOON, false},
	{"vormittage", W_PART, WISH_FORENOON, false},
	{"vorm", W_PART, WISH_FORENOON, false},
	{"vormittagen", W_PART, WISH_FORENOON, false},
	{"mittag", W_PART, WISH_NOON, false},
	{"mittags", W_PART, WISH_NOON, false},
	{"mittagszeit", W_PART, WISH_NOON, false},
	{"mittagspause", W_PART, WISH_NOON, false},
	{"nachmittag", W_PART, WISH_AFTERNOON, false},
	{"nachmittags", W_PART, WISH_AFTERNOON, false},
	{"nachmittage", W_PART, WISH_AFTERNOON, false},
	{"nachm", W_PART, WISH_AFTERNOON, false},
	{"nachmittagen", W_PART, WISH_AFTERNOON, false},
	{"fruhnachmittag", W_PART, WISH_AFTERNOON_1ST, false},
	{"spatnachmittag", W_PART, WISH_AFTERNOON_2ND, false},
	{"fruhnachmittags", W_PART, WISH_AFTERNOON_1ST, false},
	{"spatnachmittags", W_PART, WISH_AFTERNOON_2ND, false},
	{"abend", W_PART, WISH_EVENING, false},
	{"abends", W_PART, WISH_EVENING, false},
	{"abende", W_PART, WISH_EVENING, false},
	{"abenden", W_PART, WISH_EVENING, false},
	{"abendstunden", W_PART, WISH_EVENING, false},
	{"nachts", W_PART, NIGHT, false},
	{"nacht", W_PART, NIGHT, false},
	{"mitternacht", W_POINT, 1440, false},
	{"fruh", W_EARLY, 1, false},
	{"zeitig", W_EARLY, 1, false},
	INFLECTED("zeitig", W_EARLY, 0),
	{"fruhe", W_EARLY, 1, false},
	{"fruhen", W_EARLY, 0, false},
	{"fruher", W_EARLY, 0, false},
	{"fruhem", W_EARLY, 0, false},
	{"fruhes", W_EARLY, 0, false},
	{"spat", W_LATE, 1, false},
	INFLECTED("spat", W_LATE, 0),

	{"uhr", W_OCLOCK, 0, false},
	{"uhrzeit", W_FILL, 0, false},
	{"h", W_OCLOCK, 0, false},
	{"halb", W_HALF, 0, false},
	{"halben", W_HALF, 0, false},
	{"halber", W_HALF, 0, false},
	{"viertel", W_QUARTER, 15, false},
	{"dreiviertel", W_QUARTER, 45, false},
	{"virtel", W_QUARTER, 15, false},
	{"vor", W_TO, 0, false},
	{"nach", W_PAST, 0, false},
	{"um", W_AT, 0, false},
	{"punkt", W_AT, 0, false},
	{"gegen", W_ABOUT, 0, false},
	{"etwa", W_ABOUT, 0, false},
	{"ungefahr", W_ABOUT, 0, false},
	{"circa", W_ABOUT, 0, false},
	{"ca", W_ABOUT, 0, false},
	{"zirka", W_ABOUT, 0, false},
	{"rund", W_ABOUT, 0, false},
	{"herum", W_ROUND, 0, false},
	{"rum", W_ROUND, 0, false},
	{"ab", W_FROM, 0, false},
	{"fruhestens", W_FROM, 1, false},
	{"bis", W_UNTIL, 0, false},
	{"spatestens", W_UNTIL, 1, false},
	{"als", W_THAN, 0, false},
	{"zwischen", W_BETWEEN, 0, false},
	{"zw", W_BETWEEN, 0, false},
	{"zwischem", W_BETWEEN, 0, false},
	{"von", W_OF, 0, false},
	{"vom", W_OF, 0, false},
	{"und", W_AND, 0, false},
	{"u", W_AND, 0, false},
	{"sowie", W_AND, 0, false},
	{"oder", W_OR, 0, false},
	{"bzw", W_OR, 0, false},
	{"beziehungsweise", W_OR, 0, false},
	{"od", W_OR, 0, false},
	{"sonst", W_OR, 0, false},
	{"ansonsten", W_OR, 0, false},
	{"andernfalls", W_OR, 0, false},
	{"notfalls", W_OR, 0, false},
	{"ersatzweise", W_OR, 0, false},
	{"wenn", W_FILL, 1, false},
	{"nein", W_FILL, FILL_FIX, false},
	{"nee", W_FILL, FILL_FIX, false},
	{"quatsch", W_FILL, FILL_FIX, false},
	{"korrektur", W_FILL, FILL_FIX, false},
	{"vielmehr", W_FILL, FILL_FIX, false},
	{"sorry", W_FILL, FILL_FIX, false},
	{"entschuldigung", W_FILL, FILL_FIX, false},
	{"verzeihung", W_FILL, FILL_FIX, false},
	{"ich", W_FILL, FILL_I, false},
	{"meine", W_FILL, FILL_FIX_I, false},
	{"meinte", W_FILL, FILL_FIX_I, false},
	{"falls", W_FILL, 1, false},
	{"alternativ", W_OR, 0, false},
	{"aber", W_BUT, 0, false},
	{"jedoch", W_BUT, 0, false},
	{"sondern", W_BUT, 0, false},
	{"allerdings", W_BUT, 0, false},
	{"lieber", W_RATHER, 0, false},
	{"stattdessen", W_RATHER, 0, false},
	{"dafur", W_RATHER, 0, false},
	{"besser", W_RATHER, 0, false},
	{"passt", W_FINE, 0, false},
	{"passen", W_FINE, 0, false},
	{"gut", W_FINE, 0, false},
	{"super", W_FINE, 0, false},
	{"perfekt", W_FINE, 0, false},
	{"prima", W_FINE, 0, false},
	{"ideal", W_FINE, 0, false},
	{"ok", W_FINE, 0, false},
	{"okay", W_FINE, 0, false},
	{"nicht", W_NOT, 0, false},
	{"nich", W_NOT, 0, false},
	{"net", W_NOT, 0, false},
	{"nie", W_NOT, 0, false},
	{"niemals", W_NOT, 0, false},
	{"keinesfalls", W_NOT, 0, false},
	{"keineswegs", W_NOT, 0, false},
	{"ungern", W_NOT, 0, false},
	{"weder", W_NOT, 1, false},
	{"kein", W_NO, 0, false},
	INFLECTED("kein", W_NO, 0),
	{"ausser", W_EXCEPT, 0, false},
	{"ohne", W_EXCEPT, 0, false},
	{"ausgenommen", W_EXCEPT, 0, false},
	{"ausnahme", W_EXCEPT, 0, false},
	{"abgesehen", W_EXCEPT, 0, false},
	{"statt", W_EXCEPT, 2, false},
	{"anstatt", W_EXCEPT, 2, false},
	{"schlecht", W_BAD, 0, false},
	{"ungunstig", W_BAD, 0, false},
	{"unmoglich", W_BAD, 0, false},
	{"blod", W_BAD, 0, false},
	{"verhindert", W_BAD, 0, false},
	{"verreist", W_BAD, 0, false},
	{"abwesend", W_BAD, 0, false},
	{"urlaub", W_BAD, 1, false}, /* only "im Urlaub" */
	{"ausgeschlossen", W_BAD, 0, false},
	{"tabu", W_BAD, 0, false},
	{"unpassend", W_BAD, 0, false},
	{"geht", W_CAN, 0, false},
	{"gehen", W_CAN, 0, false},
	{"ginge", W_CAN, 0, false},
	{"gehts", W_CAN, 0, false},
	{"kann", W_CAN, 0, false},
	{"konnen", W_CAN, 0, false},
	{"konnte", W_CAN, 0, false},
	{"klappt", W_CAN, 0, false},
	{"klappts", W_CAN, 0, false},
	{"funktioniert", W_CAN, 0, false},
	{"nur", W_ONLY, 0, false},
	{"ausschliesslich", W_ONLY, 0, false},
	{"lediglich", W_ONLY, 0, false},
	INFLECTED("jed", W_EVERY, 0),
	{"immer", W_EVERY, 0, false},
	{"alle", W_EVERY, 0, false},
	{"allen", W_EVERY, 0, false},
	{"stets", W_EVERY, 0, false},
	INFLECTED("nachst", W_NEXT, 0),
	INFLECTED("nechst", W_NEXT, 0),
	INFLECTED("next", W_NEXT, 0),
	INFLECTED("kommend", W_COMING, 0),
	INFLECTED("folgend", W_COMING, 0),
	INFLECTED("dies", W_THIS, 0),
	{"dies", W_THIS, 0, false},
	INFLECTED("ubernachst", W_AFTER_NEXT, 0),
	INFLECTED("letzt", W_LAST, 0),
	INFLECTED("vorig", W_LAST, 0),
	INFLECTED("vergangen", W_LAST, 0),
	{"anfang", W_BEGIN, 0, false},
	{"beginn", W_BEGIN, 0, false},
	{"anfangs", W_BEGIN, 0, false},
	{"mitte", W_MID, 0, false},
	{"ende", W_END, 0, false},
	{"in", W_IN, 0, false},
	{"innerhalb", W_WITHIN, 0, false},
	{"binnen", W_WITHIN, 0, false},
	{"stunde", W_UNIT, UNIT_HOUR, false},
	{"stunden", W_UNIT, UNIT_HOUR, true},
	{"std", W_UNIT, UNIT_HOUR, true},
	{"tag", W_UNIT, UNIT_DAY, false},
	{"tage", W_UNIT, UNIT_DAY, true},
	{"tagen", W_UNIT, UNIT_DAY, true},
	{"tages", W_UNIT, UNIT_DAY, false},
	{"woche", W_UNIT, UNIT_WEEK, false},
	{"wochen", W_UNIT, UNIT_WEEK, true},
	{"monat", W_UNIT, UNIT_MONTH, false},
	{"monats", W_UNIT, UNIT_MONTH, false},
	{"monate", W_UNIT, UNIT_MONTH, true},
	{"monaten", W_UNIT, UNIT_MONTH, true},
	{"jahr", W_UNIT, UNIT_YEAR, false},
	{"jahres", W_UNIT, UNIT_YEAR, false},
	{"jahre", W_UNIT, UNIT_YEAR, true},
	{"jahren", W_UNIT, UNIT_YEAR, true},
	{"monatsanfang", W_EDGE, UNIT_MONTH, false},
	{"monatsbeginn", W_EDGE, UNIT_MONTH, false},
	{"monatsmitte", W_EDGE, 8 + UNIT_MONTH, false},
	{"monatsende", W_EDGE, 16 + UNIT_MONTH, false},
	{"wochenanfang", W_EDGE, UNIT_WEEK, false},
	{"wochenbeginn", W_EDGE, UNIT_WEEK, false},
	{"wochenmitte", W_EDGE, 8 + UNIT_WEEK, false},
	{"wochenende", W_WEEKEND, 0, false},
	{"wochenendes", W_WEEKEND, 0, false},
	{"wochenenden", W_WEEKEND, 0, true},
	{"wochenends", W_WEEKEND, 0, true},
	{"werktag", W_WORKDAYS, 1, false},
	{"werktags", W_WORKDAYS, 1, false},
	{"werktage", W_WORKDAYS, 1, false},
	{"werktagen", W_WORKDAYS, 1, false},
	{"arbeitstag", W_WORKDAYS, 1, false},
	{"arbeitstags", W_WORKDAYS, 1, false},
	{"arbeitstagen", W_WORKDAYS, 1, false},
	{"wochentags", W_WORKDAYS, 0, false},
	{"wochentag", W_WORKDAYS, 0, false},
	{"wochentage", W_WORKDAYS, 0, false},
	{"wochentagen", W_WORKDAYS, 0, false},
	{"feiertag", W_HOLIDAY, 0, false},
	{"feiertags", W_HOLIDAY, 0, false},
	{"feiertage", W_HOLIDAY, 0, false},
	{"feiertagen", W_HOLIDAY, 0, false},
	{"feiertages", W_HOLIDAY, 0, false},
	{"karfreitag", W_FEAST, 98, false},
	{"ostersonntag", W_FEAST, 100, false},
	{"ostermontag", W_FEAST, 101, false},
	{"ostern", W_FEAST, FEAST_TWO + 100, false},
	{"himmelfahrt", W_FEAST, 139, false},
	{"vatertag", W_FEAST, 139, false},
	{"pfingstsonntag", W_FEAST, 149, false},
	{"pfingstmontag", W_FEAST, 150, false},
	{"pfingsten", W_FEAST, FEAST_TWO + 149, false},
	{"fronleichnam", W_FEAST, 160, false},
	{"rosenmontag", W_FEAST, 52, false},
	{"neujahr", W_FEAST, 1101, false},
	{"neujahrstag", W_FEAST, 1101, false},
	{"dreikonigstag", W_FEAST, 1106, false},
	{"reformationstag", W_FEAST, 2031, false},
	{"allerheiligen", W_FEAST, 2101, false},
	{"nikolaus", W_FEAST, 2206, false},
	{"heiligabend", W_FEAST, 2224, false},
	{"weihnachtstag", W_FEAST, FEAST_TWO + 2225, false},
	{"weihnachten", W_FEAST, FEAST_TWO + 2225, false},
	{"silvester", W_FEAST, 2231, false},
	{"kw", W_WEEKNO, 0, false},
	{"kalenderwoche", W_WEEKNO, 0, false},
	{"moglichst", W_MOST, 0, false},
	{"je", W_MOST, 0, false},
	{"wie", W_AS, 0, false},
	{"moglich", W_POSSIBLE, 0, false},
	{"bald", W_SOON, 0, false},
	{"schnell", W_SOON, 0, false},
	{"rasch", W_SOON, 0, false},
	{"baldigen", W_SOON, 0, false},
	{"schnellstmoglich", W_SOONEST, 1, false},
	{"schnellstmoglichst", W_SOONEST, 1, false},
	{"baldmoglichst", W_SOONEST, 1, false},
	{"fruhestmoglich", W_SOONEST, 1, false},
	INFLECTED("fruhestmoglich", W_SOONEST, 1),
	INFLECTED("nachstmoglich", W_SOONEST, 1),
	INFLECTED("fruhest", W_SOONEST, 1),
	{"nachstmoglich", W_SOONEST, 1, false},
	{"ehestens", W_SOONEST, 1, false},
	{"baldigst", W_SOONEST, 1, false},
	{"schnellstens", W_SOONEST, 1, false},
	{"zeitnah", W_SOONEST, 1, false},
	{"sofort", W_SOONEST, 1, false},
	{"asap", W_SOONEST, 1, false},
	{"umgehend", W_SOONEST, 1, false},
	INFLECTED("spatest", W_SOONEST, 2),
	{"termin", W_SLOT, 0, false},
	{"termine", W_SLOT, 0, false},
	{"slot", W_SLOT, 0, false},
	{"freie", W_SLOT, 0, false},
	{"freien", W_SLOT, 0, false},
	{"freier", W_SLOT, 0, false},
	{"freies", W_SLOT, 0, false},
	INFLECTED("moglich", W_SLOT, 0),
	INFLECTED("verfugbar", W_SLOT, 0),
	{"gelegenheit", W_SLOT, 0, false},
	{"moglichkeit", W_SLOT, 0, false},
	{"zeit", W_TIME, 0, false},
	{"zeiten", W_TIME, 0, false},
	{"egal", W_ANY, 0, false},
	{"tgl", W_ANY, 0, false},
	{"irgendwann", W_ANY, 0, false},
	{"beliebig", W_ANY, 0, false},
	{"jederzeit", W_ANY, 0, false},
	{"flexibel", W_ANY, 0, false},
	{"ganztags", W_ANY, 0, false},
	{"ganztagig", W_ANY, 0, false},
	{"taglich", W_ANY, 0, false},
	{"guten", W_GREET, 0, false},
	{"gute", W_GREET, 0, false},
	{"schonen", W_GREET, 0, false},
	{"arbeit", W_WORK, 0, false},
	{"feierabend", W_WORK, 0, false},
	{"buro", W_WORK, 0, false},
	{"dienst", W_WORK, 0, false},
	{"auf", W_ON, 0, false},
	{"unter", W_ON, 1, false},
	{"wahrend", W_ON, 1, false},
	{"te", W_ORDINAL, 0, false},
	{"ste", W_ORDINAL, 0, false},
	{"sten", W_ORDINAL, 0, false},
	{"ster", W_ORDINAL, 0, false},
	{"ten", W_ORDINAL, 0, false},
	{"ter", W_ORDINAL, 0, false},
	{"am", W_ART, 0, false},
	{"an", W_ART, 0, false},
	{"im", W_ART, 0, false},
	{"der", W_ART, 0, false},
	{"das", W_ART, 0, false},
	{"den", W_ART, 0, false},
	{"dem", W_ART, 0, false},
	{"des", W_ART, 0, false},
	{"zum", W_ART, 0, false},
	{"zur", W_ART, 0, false},
	{"beim", W_ART, 0, false},
	{"ans", W_ART, 0, false},

	{"ein", W_ONE, 1, false},
	{"eine", W_ONE, 1, false},
	{"einer", W_ONE, 1, false},
	{"einem", W_ONE, 1, false},
	{"einen", W_ONE, 1, false},
	{"eines", W_ONE, 1, false},
	{"null", W_NUMBER, 0, false},
	{"eins", W_NUMBER, 1, false},
	{"zwei", W_NUMBER, 2, false},
	{"zwo", W_NUMBER, 2, false},
	{"drei", W_NUMBER, 3, false},
	{"vier", W_NUMBER, 4, false},
	{"funf", W_NUMBER, 5, false},
	{"sechs", W_NUMBER, 6, false},
	{"sieben", W_NUMBER, 7, false},
	{"acht", W_NUMBER, 8, false},
	{"neun", W_NUMBER, 9, false},
	{"zehn", W_NUMBER, 10, false},
	{"elf", W_NUMBER, 11, false},
	{"zwolf", W_NUMBER, 12, false},
	{"dreizehn", W_NUMBER, 13, false},
	{"vierzehn", W_NUMBER, 14, false},
	{"funfzehn", W_NUMBER, 15, false},
	{"fuffzehn", W_NUMBER, 15, false},
	{"sechzehn", W_NUMBER, 16, false},
	{"sechszehn", W_NUMBER, 16, false},
	{"siebzehn", W_NUMBER, 17, false},
	{"siebenzehn", W_NUMBER, 17, false},
	{"achtzehn", W_NUMBER, 18, false},
	{"neunzehn", W_NUMBER, 19, false},
	{"zwanzig", W_NUMBER, 20, false},
	{"dreissig", W_NUMBER, 30, false},
	{"dreizig", W_NUMBER, 30, false},
	{"vierzig", W_NUMBER, 40, false},
	{"funfzig", W_NUMBER, 50, false},
	{"fuffzig", W_NUMBER, 50, false},
};

static const char *const fill[] = {"wir", "mir", "mich", "uns", "sie", "ihnen", "ihr", "man", "er",
	"es", "du", "mein", "meinen", "meiner", "meinem", "unser", "unsere", "hatte", "hatten",
	"haben", "habe", "hab", "hat", "mocht", "mochte", "mochten", "wollte", "wollten", "will",
	"wollen", "wurde", "wurden", "brauche", "brauchen", "brauch", "braucht", "suche", "suchen",
	"bekomme", "bekommen", "kriege", "kriegen", "krieg", "buchen", "buche", "buchung",
	"vereinbaren", "ausmachen", "machen", "mach", "mache", "reservieren", "nehmen", "nehme",
	"nimm", "kommen", "komme", "komm", "kame", "vorbei", "vorbeikommen", "vorbeischauen", "da",
	"dann", "denn", "ja", "ach", "ah", "ahm", "ahem", "oh", "ohm", "hm", "hmm", "mhm", "also",
	"eigentlich", "vielleicht", "eventull", "evtl", "moglicherweise", "ware", "waren", "sein",
	"ist", "sind", "war", "wird", "werden", "liebsten", "bevorzugt", "bevorzuge",
	"vorzugsweise", "idealerweise", "beste", "besten", "bestens", "bester", "etwas", "noch",
	"schon", "auch", "gar", "uberhaupt", "halt", "mal", "einmal", "nochmal", "eher", "sehr",
	"ganz", "ganzen", "ganze", "frei", "fur", "furs", "mit", "bei", "bin", "hier", "dort",
	"denke", "glaube", "sagen", "sage", "sag", "hallo", "danke", "dankeschon", "bitte",
	"bitteschon", "gern", "gerne", "erst", "erstmal", "direkt", "sofern", "soweit", "wann",
	"was", "welche", "welcher", "welchen", "gibt", "gabe", "gibts", "offen", "kurz", "zeitlich",
	"wunsch", "wunsche", "wunschen", "dass", "ob", "beispiel", "beispielsweise", "zb", "datum",
	"konnten", "soll", "sollte", "sollten", "darf", "durfte", "muss", "musste", "mussen",
	"genau", "exakt", "einfach", "wirklich", "unbedingt", "doch", "lassen", "lasst",
	"hauptsache", "zu", "uber", "jetzt", "nun", "einverstanden", "alles", "eben", "naja",
	"desto", "umso", "tja", "na", "achso", "hin", "her", "rein", "eintragen", "irgendein",
	"irgendeine", "irgendeinen", "irgendwie", "irgendwas", "irgendeinem", "irgendeiner",
	"verfugbar", "gunstig", "bisschen", "bequem", "grundsatzlich", "generell", "normalerweise",
	"prinzipiell", "meistens", "weil", "nehmt", "gefallt", "recht", "angenehm", "sich", "wohl",
	"nachmittaglich", "leider", "wieder", "neuen", "neuer", "zeitraum", "zeitfenster", "dran",
	"einrichten", "tu", "machbar", "dabei", "davon", "selbst", "arbeiten", "arbeite", "deutsch",
	"wo", "spielt", "rolle", "wichtig", "gesetzlichen", "gesetzlicher", "gesetzliche",
	"offentlichen", "brauchte", "brauchten", "machte", "wusste", "gewunscht", "gewunschte",
	"bevorzugte", "kurze", "kurzer", "frau", "herr", "herrn", "bestimmt", "sowieso", "natur",
	"naturlich", "okey", "jawohl", "genauso", "ebenfalls", "gleich", "irgendwo", "passend",
	"passende", "passenden", "passender", "frage", "fragen", "melde", "anrufe", "rufe",
	"angerufen", "telefonisch", "personlich", "bitten", "wars", "welchem", "welches", "maximal",
	"hochstens", "mindestens", "minuten", "minute"};

/* ---- words for numbers ---- */

static const struct {
	const char *text;
	int value;
} tens[] = {{"zwanzig", 20}, {"dreissig", 30}, {"vierzig", 40}, {"funfzig", 50}, {"sechzig", 60},
	{"siebzig", 70}, {"achtzig", 80}, {"neunzig", 90}},
  units[] = {{"ein", 1}, {"zwei", 2}, {"drei", 3}, {"vier", 4}, {"funf", 5}, {"sechs", 6},
	  {"sieben", 7}, {"acht", 8}, {"neun", 9}};

static bool is_word(struct str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

/* "einundzwanzig", 0: none */
static int compound(struct str s)
{
	for (size_t t = 0; t < COUNT(tens); t++) {
		if (is_word(s, tens[t].text))
			return tens[t].value;
		for (size_t u = 0; u < COUNT(units); u++) {
			size_t n = strlen(units[u].text);

			if (s.len == n + 3 + strlen(tens[t].text) &&
				memcmp(s.ptr, units[u].text, n) == 0 &&
				memcmp(s.ptr + n, "und", 3) == 0 &&
				memcmp(s.ptr + n + 3, tens[t].text, s.len - n - 3) == 0)
				return tens[t].value + units[u].value;
		}
	}
	return 0;
}

static int cardinal(struct str s)
{
	for (size_t i = 0; i < COUNT(entries); i++)
		if (entries[i].kind == W_NUMBER && is_word(s, entries[i].text))
			return entries[i].value;
	return compound(s);
}

/* The word without "te", "ten", "ter" …; len 0: it has none of them. */
static struct str stem(struct str s)
{
	static const char *const ends[] = {"te", "ten", "ter", "tes", "tem"};

	for (size_t i = 0; i < COUNT(ends); i++) {
		size_t n = strlen(ends[i]);

		if (s.len > n && memcmp(s.ptr + s.len - n, ends[i], n) == 0)
			return (struct str){s.ptr, s.len - n};
	}
	return (struct str){s.ptr, 0};
}

static int ordinal(struct str s)
{
	struct str base = stem(s);
	int value;

	if (is_word(base, "ers"))
		return 1;
	if (is_word(base, "drit"))
		return 3;
	if (is_word(base, "sieb"))
		return 7;
	if (is_word(base, "ach"))
		return 8;
	if (base.len < 3 || is_word(base, "ach"))
		return 0;
	if (base.ptr[base.len - 1] == 's' && !is_word(base, "sechs")) {
		value = compound((struct str){base.ptr, base.len - 1});
		return value;
	}
	value = cardinal(base);
	return value == 1 || value == 3 || value == 8 || value > 19 ? 0 : value;
}

static bool number(struct str folded, struct entry *out)
{
	int value = compound(folded);

	*out = (struct entry){.text = "", .kind = W_NUMBER, .value = (int16_t)value};
	if (value)
		return true;
	value = ordinal(folded);
	out->kind = W_ORDINAL;
	out->value = (int16_t)value;
	return value > 0;
}

const struct lexicon lexicon_de = {
	.entries = entries,
	.count = COUNT(entries),
	.fill = fill,
	.fill_count = COUNT(fill),
	.german = true,
	.number = number,
};
