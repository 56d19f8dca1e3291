#!/bin/sh
# The namespace, how long it keeps finished workflows, and what they can be found by.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are read by the program. Every step may be repeated.
set -eu

# A server that has just started refuses calls, and one that has just created a namespace does not find it.
retry() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        "$@" && return
        sleep 3
    done
    return 1
}

retry temporal operator cluster health
temporal operator namespace describe >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 7d
retry temporal operator namespace update --retention 7d

# One at a time: the program pairs names with types, and drops the names that are left over.
for attribute in TenantId JobType Stage; do
    retry temporal operator search-attribute create --name "$attribute" --type Keyword
done
