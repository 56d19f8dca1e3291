#!/bin/sh
# From the release that runs on this machine to another, and back by the same way:
#
#     deploy/host/rollout.sh 0.6.0
#
# The image is there before anything stops. Migrations come first: the release that runs works on with them. Then one
# process after the other, each with its time to end what it does, and the next one only when it says that it takes
# work. One that does not say so within three minutes ends the rollout: what was changed goes back to the release
# before. Migrations stay; it works with them.
set -eu
cd "$(dirname "$0")/../.."

release=${1:?usage: deploy/host/rollout.sh RELEASE}
case $release in *[!A-Za-z0-9._-]* | [.-]*) echo "not a release: $release" >&2; exit 2 ;; esac
# Who works before who hands out work; the API last, since people look at it.
order="worker-ops worker-video worker-ai worker-messaging bridge api"

exec 9>.rollout.lock
flock --nonblock 9 || { echo "another rollout is under way" >&2; exit 1; }

compose() { docker compose --profile messaging "$@"; } # who really sends is rolled out with the others

with() { # RELEASE, then a command of compose
    (
        export RELEASE="$1"
        shift
        compose "$@"
    )
}

running=$(compose ps --services --status running)
services=
for each in $order; do
    if echo "$running" | grep --quiet --line-regexp "$each"; then services="$services $each"; fi
done
[ "$services" ] || { echo "nothing runs here yet: docker compose up --detach" >&2; exit 1; }
# shellcheck disable=SC2086 # words
set -- $services
before=$(docker inspect --format '{{.Config.Image}}' "$(compose ps --quiet "$1")")
before=${before##*:}

# shellcheck disable=SC2086
with "$release" pull --quiet migrate $services
with "$release" run --rm --no-deps migrate
with "$release" run --rm --no-deps roles

changed=
for each in $services; do
    changed="$changed $each"
    echo "$each: $before -> $release"
    if ! with "$release" up --detach --no-deps --wait --wait-timeout 180 "$each"; then
        with "$release" logs --tail 30 "$each" >&2 || echo "(no log)" >&2
        echo "$each does not take work: back to $before" >&2
        for former in $changed; do
            with "$before" up --detach --no-deps --wait --wait-timeout 180 "$former" ||
                { echo "$former does not take work with $before either: look at it" >&2; exit 3; }
        done
        exit 1
    fi
done

# What a reboot starts.
touch .env
grep --invert-match '^RELEASE=' .env >.env.next || true
echo "RELEASE=$release" >>.env.next
chmod --reference=.env .env.next
mv .env.next .env
echo "$release runs"
