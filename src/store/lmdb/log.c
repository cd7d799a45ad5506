#include "store/lmdb/log.h"

#include <string.h>

#include "base/banned.h"

enum { RECORD_HEADER = 12, EVENT_HEADER = 3 };

avout_status avout__lmdb_event_add(avout__buffer *events, avout_node_event kind, const char *path)
{
    uint16_t length = (uint16_t)strlen(path);
    char header[EVENT_HEADER] = {(char)kind};
    memcpy(header + 1, &length, sizeof length);
    avout_status status = avout__buffer_reserve(events, sizeof header + length + 1);
    if (status) return status;
    avout__buffer_add(events, header, sizeof header);
    return avout__buffer_add(events, path, (size_t)length + 1);
}

bool avout__lmdb_event_next(avout_node_event *kind, const char **path, const char *events,
                            size_t length, size_t *position)
{
    uint16_t path_length;
    if (length - *position < EVENT_HEADER) return false;
    const char *event = events + *position;
    memcpy(&path_length, event + 1, sizeof path_length);
    size_t size = EVENT_HEADER + (size_t)path_length + 1;
    if (length - *position < size || event[size - 1]) return false;
    *kind = (avout_node_event)event[0];
    *path = event + EVENT_HEADER;
    *position += size;
    return true;
}

int avout__lmdb_log_put(avout__lmdb_env *env, MDB_txn *txn, const avout__lmdb_head *head,
                        uint32_t flags, const char *events, size_t length)
{
    if (length > AVOUT__LMDB_LOG_RECORD_MOST) {
        flags |= AVOUT__LMDB_LOG_OVERFLOW;
        length = 0;
    }
    size_t slot = head->sequence % head->log_slots;
    MDB_val key = {sizeof slot, &slot}, value = {RECORD_HEADER + length, NULL};
    int code = mdb_put(txn, env->log, &key, &value, MDB_RESERVE);
    if (code) return code;
    char *record = value.mv_data;
    memcpy(record, &head->sequence, 8);
    memcpy(record + 8, &flags, 4);
    if (length) memcpy(record + RECORD_HEADER, events, length);
    return 0;
}

void avout__lmdb_log_replay(avout__lmdb_env *env, MDB_txn *txn, const avout__lmdb_head *head,
                            uint64_t seen, avout__buffer *events, uint32_t *flags)
{
    if (head->sequence < seen || head->sequence - seen > head->log_slots) {
        *flags |= AVOUT__LMDB_LOG_OVERFLOW | AVOUT__LMDB_LOG_SESSIONS;
        return;
    }
    for (uint64_t sequence = seen + 1; sequence <= head->sequence; sequence++) {
        uint64_t found = 0;
        uint32_t found_flags = 0;
        size_t slot = sequence % head->log_slots;
        MDB_val key = {sizeof slot, &slot}, value = {0, NULL};
        if (!mdb_get(txn, env->log, &key, &value) && value.mv_size >= RECORD_HEADER) {
            memcpy(&found, value.mv_data, 8);
            memcpy(&found_flags, (char *)value.mv_data + 8, 4);
        }
        if (found != sequence) found_flags = AVOUT__LMDB_LOG_OVERFLOW | AVOUT__LMDB_LOG_SESSIONS;
        *flags |= found_flags;
        if (events && found == sequence &&
            avout__buffer_add(events, (char *)value.mv_data + RECORD_HEADER,
                              value.mv_size - RECORD_HEADER))
            *flags |= AVOUT__LMDB_LOG_OVERFLOW; /* no memory: the same as not known */
    }
}
