/* Values as BSON, so that MongoDB's own tools can query them.
 *
 *   EDN                      BSON                         read back as it was
 *   nil, true, 1, 1.5, "a"   null, bool, int64, double,   yes (but ##NaN, ##Inf: their text; -0.0)
 *                            string
 *   #inst, #uuid, bytes      date, binary 4, binary 0     yes, when written as Clojure prints them
 *   [...]                    array                        yes
 *   {:a 1}                   {a: 1}                       yes, when all keys are keywords
 *   {"a" 1}                  {a: 1}                       no
 *   {1 2, "$x" 3}            [{k: 1, v: 2}, ...]          no; as $objectToArray writes it
 *   :a  a/b                  "a"  "a/b"                   no
 *   5N  2/3  1.50M           double, or text beyond it    no
 *   (...)  #{...}            array                        no
 *   others, nested too deep  their EDN text               no
 *
 * What is not read back as it was needs its EDN text beside. */
#ifndef PLUGINS_MONGO_NATIVE_H
#define PLUGINS_MONGO_NATIVE_H

#include <avout/value.h>
#include <bson/bson.h>

/* Appends the value under `key`. *exact: avout__mongo_read gives the same value, printed the same. *fits:
 * false when it is too large for BSON; then nothing of use was appended. AVOUT_ENOMEM. */
avout_status avout__mongo_append(bson_t *document, const char *key, avout_value value, bool *exact,
                                 bool *fits);

/* Of what was appended exactly. AVOUT_EDATA: of anything else. AVOUT_ENOMEM. */
avout_status avout__mongo_read(avout_value *value, const bson_iter_t *from);

#endif
