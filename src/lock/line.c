/* Names of claims, and what a list of them says.
 *
 *   w-CLIENT-NUMBER-SEQUENCE     exclusive; r-: shared
 *
 * CLIENT (16 hexadecimal digits, made up when the client is opened) and NUMBER (which the client counts)
 * tell whose it is when its creation's reply was lost; the store appends SEQUENCE. */
#include "lock/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/banned.h"

void avout__claim_prefix(char prefix[AVOUT__CLAIM_NAME], const avout__claim *claim)
{
    snprintf(prefix, AVOUT__CLAIM_NAME, "%c-%s-%" PRIu64 "-", claim->shared ? 'r' : 'w',
             claim->lock->room->client_id, claim->number);
}

static bool parse_client(char client[17], const char *text)
{
    if (strspn(text, "0123456789abcdef") != 16 || text[16] != '-') return false;
    memcpy(client, text, 16);
    client[16] = '\0';
    return true;
}

bool avout__claim_parse(avout__claim_name *name, const char *text)
{
    name->shared = text[0] == 'r';
    return avout__name_parse(name, 'w', text) || avout__name_parse(name, 'r', text);
}

bool avout__name_parse(avout__claim_name *name, char kind, const char *text)
{
    if (text[0] != kind || text[1] != '-') return false;
    if (strlen(text) >= AVOUT__CLAIM_NAME || !parse_client(name->client, text + 2)) return false;
    const char *number = text + 2 + 17;
    if (*number < '0' || *number > '9') return false;
    char *end;
    errno = 0;
    name->number = strtoull(number, &end, 10);
    if (errno || *end != '-') return false;
    /* ZooKeeper, at the end of its range, may give negative ones for a moment: "--000000005". */
    const char *sequence = end + 1;
    bool negative = *sequence == '-';
    if (strspn(sequence + negative, "0123456789") < (negative ? 9 : 10)) return false;
    long long parsed = strtoll(sequence, &end, 10);
    if (errno || *end) return false;
    name->sequence = parsed < 0 ? INT32_MAX : parsed;
    return true;
}

static bool is_mine(const avout__claim *claim, const avout__claim_name *name)
{
    return name->number == claim->number && !strcmp(name->client, claim->lock->room->client_id);
}

avout__line avout__line_of(const avout__claim *claim, const char *const *names, size_t count)
{
    avout__line line = {0};
    avout__claim_name mine = {0}, other, last = {0};
    for (size_t i = 0; i < count && !line.mine; i++)
        if (avout__claim_parse(&mine, names[i]) && is_mine(claim, &mine)) line.mine = names[i];
    if (!line.mine) return line;
    for (size_t i = 0; i < count; i++) {
        if (!avout__claim_parse(&other, names[i])) continue; /* not ours to judge */
        if (claim->shared && other.shared) continue;
        int order = avout__sequence_compare(other.sequence, mine.sequence);
        line.doubtful = line.doubtful || (order == 0 && !is_mine(claim, &other));
        if (order >= 0) continue;
        line.conflicts++;
        if (line.before && avout__sequence_compare(other.sequence, last.sequence) < 0) continue;
        line.before = names[i];
        last = other;
    }
    return line;
}
