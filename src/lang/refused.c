/* What people know from Clojure and will try, and what this language does not have: refused by name, with what to do
 * instead where there is something. */
#include "lang/compile.h"

#include <string.h>

#include "base/banned.h"

static const lang_node *compile_refused(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    const char *name = avout__lang_name(form->items[0]);
    return avout__lang_bad_status(c, form, AVOUT_ENOTSUP, "%s is not part of this language%s", name,
                                  avout__lang_why_refused(name));
}

#define REFUSED(name, why)                                                                         \
    {                                                                                              \
        name, "", why, compile_refused                                                             \
    }

#define NO_JAVA ": there is no Java behind it"
#define NO_META ": values have no metadata, as the store could not keep it"
#define NO_ORDER                                                                                   \
    ": maps and sets have no order, as EDN could not keep it; (sort coll) has the entries in "     \
    "order"
#define NO_CLASS ": there are no classes; (type x) tells what x is"

/* `doc` is what stands behind "is not part of this language". */
const lang_special avout__lang_refused[] = {
    REFUSED("defmacro", ""),
    REFUSED("defprotocol", ""),
    REFUSED("defrecord", ": a map does"),
    REFUSED("deftype", ": a map does"),
    REFUSED("defmulti", ": case or condp, or a map of functions, do"),
    REFUSED("defmethod", ""),
    REFUSED("binding", ""),
    REFUSED("with-redefs", ""),
    REFUSED("with-local-vars", ""),
    REFUSED("gen-class", NO_JAVA),
    REFUSED("proxy", NO_JAVA),
    REFUSED("reify", NO_JAVA),
    REFUSED("set!", ""),
    REFUSED("new", NO_JAVA),
    REFUSED(".", NO_JAVA),
    REFUSED("..", NO_JAVA),
    REFUSED("monitor-enter", ": see with-lock"),
    REFUSED("monitor-exit", ": see with-lock"),
    REFUSED("locking", ": see with-lock"),
    REFUSED("agent", ": see future"),
    REFUSED("send", ": see future"),
    REFUSED("send-off", ": see future"),
    REFUSED("class", NO_CLASS),
    REFUSED("instance?", NO_CLASS),
    REFUSED("cast", NO_CLASS),
    REFUSED("meta", NO_META),
    REFUSED("with-meta", NO_META),
    REFUSED("vary-meta", NO_META),
    REFUSED("alter-meta!", NO_META),
    REFUSED("reset-meta!", NO_META),
    REFUSED("sorted-map", NO_ORDER),
    REFUSED("sorted-map-by", NO_ORDER),
    REFUSED("sorted-set", NO_ORDER),
    REFUSED("sorted-set-by", NO_ORDER),
    REFUSED("subseq", NO_ORDER),
    REFUSED("rsubseq", NO_ORDER),
    REFUSED("slurp", ": it knows no files; see avout eval"),
    REFUSED("spit", ": it knows no files; see avout eval"),
    REFUSED(".close", ": a client is closed when the program ends, as others may be using it"),
    REFUSED("swap!", ": atoms are those of the store; see swap!!"),
    REFUSED("reset!", ": atoms are those of the store; see reset!!"),
    REFUSED("compare-and-set!", ": atoms are those of the store; see compare-and-set!!"),
    REFUSED("dosync", ": refs are those of the store; see dosync!!"),
    REFUSED("alter", ": refs are those of the store; see alter!!"),
    REFUSED("commute", ": refs are those of the store; see commute!!"),
    REFUSED("ref-set", ": refs are those of the store; see ref-set!!"),
    REFUSED("ensure", ": refs are those of the store; see ensure!!"),
    {NULL, NULL, NULL, NULL},
};

const char *avout__lang_why_refused(const char *name)
{
    const lang_special *special = avout__lang_special_find(name);
    return special && special->compile == compile_refused ? special->doc : NULL;
}
