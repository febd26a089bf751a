#!/bin/sh
# A device in shell. Needs mosquitto-clients, jq and coreutils. Usage: device.sh PROJECT CREDENTIALS.json
# Whatever goes wrong ends it; started again, it goes on with what it has kept in the folder it is started in.
set -eu
umask 077
topic=muster/dev/$1/$(jq -r .device_id "$2")
mkdir -p ends
[ -e is.json ] || echo '{"version":"1.0.0"}' > is.json

# Whoever may list the processes of this machine sees the password: the clients' own files take no line as long as it is.
door=$(jq -r '.mqtt | (.url | capture("^(?<tls>mqtts)?.*//(?<host>[^:/]+):(?<port>[0-9]+)")) as $at
  | "-h \($at.host) -p \($at.port) -u \(.username) -P \(.password)"
    + if $at.tls then " --tls-use-os-certs" else "" end' "$2")

say() { mosquitto_pub $door -q 1 -t "$topic/$1" -m "$2"; }
keep() { jq -c "{command_id, fence} + $1" command.json > end.json && mv end.json "ends/$id"; }

# Does what command.json asks, and prints what has changed.
work() {
  changed=$(jq -ce 'if .command == "CONVERGE" then .args.desired
    elif .command == "node_upgrade" then {version: (.args.upgrade // .args).version} else empty end
    | select(keys - ["version", "label"] == [])' command.json) || return 1
  jq -c ". + $changed" is.json > is.next && mv is.next is.json && echo "$changed"
}

receive() {
  printf '%s' "$1" > command.json
  id=$(jq -er '.command_id | select(test("^[0-9a-f-]{36}$"))' command.json)
  # One that has succeeded, or that was tried with this fence already, is only answered again.
  if ! jq -se '.[0].status == "success" or .[0].fence >= .[1].fence' "ends/$id" command.json > known 2> /dev/null; then
    keep '{status: "failure", code: "interrupted"}' # if it dies on the way
    say status "$(jq -c '{command_id, fence, status: "acknowledged"}' command.json)"
    if ! jq -e '.deadline | sub("\\.[0-9]+"; "") | fromdateiso8601 > now' command.json > /dev/null; then
      keep '{status: "failure", code: "deadline"}'
    elif changed=$(work); then
      say report "{\"reported\":$changed}"
      keep "{status: \"success\", evidence: {changed: $changed}}"
    else
      keep '{status: "failure", code: "not_done", reason: "this device knows a version and a label"}'
    fi
  fi
  say status "$(jq -cs '.[0] + (.[1] | {fence})' "ends/$id" command.json)"
}

while sleep 30; do say heartbeat '{}' || true; done &
beats=$!
[ -p heard ] || mkfifo heard
# With -d the client tells when it is subscribed: now, and each time after the connection was lost.
stdbuf -oL mosquitto_sub $door -d -F %p -t "$topic/command" > heard &
trap "kill $beats $! 2> /dev/null" EXIT
trap 'exit 1' HUP INT TERM
while IFS= read -r line; do
  case $line in
    Subscribed*) say hello "$(jq -c --arg boot "$(cat /proc/sys/kernel/random/boot_id)" \
      '{agent: "device.sh", version: "1", boot_id: $boot, reported: .}' is.json)" ;;
    {*) receive "$line" ;;
  esac
done < heard
exit 1 # the client has ended
