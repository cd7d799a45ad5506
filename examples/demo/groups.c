/* The three groups, and the rule that must hold whoever looks whenever. */
#include "demo.h"

#include <stdio.h>

const char *const group_names[GROUPS] = {"/avout-demo/red", "/avout-demo/green",
                                         "/avout-demo/blue"};

/* 1 ... MEMBERS, all in the first group at the beginning of time. */
avout_value first_members(int group)
{
    avout_value members[MEMBERS];
    size_t count = group ? 0 : MEMBERS;
    for (size_t i = 0; i < count; i++) members[i] = avout_int((int64_t)i + 1);
    return avout_set(count, members);
}

avout_status check_groups(const avout_value *groups)
{
    size_t total = 0;
    for (int g = 0; g < GROUPS; g++) {
        size_t count;
        if (avout_value_type(groups[g]) != AVOUT_TYPE_SET || avout_value_count(&count, groups[g]))
            return avout_fail(NOT_A_SET, "%s is no set", group_names[g]);
        total += count;
    }
    for (int m = 1; m <= MEMBERS; m++) {
        avout_value member = avout_int(m);
        int seen = 0;
        for (int g = 0; g < GROUPS; g++) seen += !avout_is_none(avout_value_get(groups[g], member));
        if (seen == 0) return avout_fail(LOST, "member %d is in no group", m);
        if (seen > 1) return avout_fail(TWICE, "member %d is in %d groups", m, seen);
    }
    if (total != MEMBERS) return avout_fail(TWICE, "%zu members instead of %d", total, MEMBERS);
    return AVOUT_OK;
}

avout_status open_groups(avout_ref **groups, avout_client *client)
{
    avout_status st = AVOUT_OK;
    for (int g = 0; g < GROUPS && !st; g++)
        st = avout_ref_create(&groups[g], client, group_names[g], first_members(g), NULL);
    return st;
}

void close_groups(avout_ref **groups)
{
    for (int g = 0; g < GROUPS; g++) avout_ref_close(groups[g]);
}

avout_status look(avout_ref *const *groups, size_t sizes[GROUPS])
{
    avout_value values[GROUPS];
    avout_status st = avout_refs_deref(values, groups, GROUPS);
    if (st) return st;
    st = check_groups(values);
    for (int g = 0; g < GROUPS; g++) {
        sizes[g] = 0;
        avout_value_count(&sizes[g], values[g]);
        avout_release(values[g]);
    }
    return st;
}

int complain(const char *who, const char *what, avout_status status)
{
    const char *detail = avout_error_detail();
    fprintf(stderr, "%s: %s: %s\n", who, what, *detail ? detail : avout_status_text(status));
    return 1;
}
