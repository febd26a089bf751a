#!/usr/bin/env python3
"""A device in Python. Needs paho-mqtt 2. Usage: device.py PROJECT CREDENTIALS.json"""
import json, pathlib, sys, time
from datetime import datetime, timezone
from urllib.parse import urlsplit
import paho.mqtt.client as mqtt

project, given = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())
topic, url = f"muster/dev/{project}/{given['device_id']}", urlsplit(given["mqtt"]["url"])
file = pathlib.Path("device.json")  # what the device is, and how the commands it has had have ended
memory = json.loads(file.read_text()) if file.exists() else {"is": {"version": "1.0.0"}, "ends": {}}

def keep(command_id, end):
    memory["ends"] = dict([*memory["ends"].items(), (command_id, end)][-1000:])
    file.with_suffix(".tmp").write_text(json.dumps(memory))
    file.with_suffix(".tmp").replace(file)

def say(channel, payload):
    client.publish(f"{topic}/{channel}", json.dumps(payload), qos=1)

def work(command, args):  # does what is asked, and answers what has changed
    if command not in ("CONVERGE", "node_upgrade"):
        raise ValueError(f"{command}: this device cannot do that")
    wanted = args["desired"] if command == "CONVERGE" else {"version": args.get("upgrade", args)["version"]}
    for key in wanted.keys() - {"version", "label"}:
        raise ValueError(f"{key}: this device has no such thing")
    memory["is"].update(wanted)
    return wanted

def on_subscribe(client, userdata, mid, reason_codes, properties):  # also after each time the connection was lost
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    say("hello", {"agent": "device.py", "version": "1", "boot_id": boot_id, "reported": memory["is"]})

def on_message(client, userdata, message):
    asked = json.loads(message.payload)
    head = {"command_id": asked["command_id"], "fence": asked["fence"]}
    end = memory["ends"].get(asked["command_id"], {"fence": 0})
    if end.get("status") != "success" and end["fence"] < asked["fence"]:  # else it is only answered again
        keep(asked["command_id"], head | {"status": "failure", "code": "interrupted"})  # if it dies on the way
        say("status", head | {"status": "acknowledged"})
        try:
            if datetime.fromisoformat(asked["deadline"].replace("Z", "+00:00")) <= datetime.now(timezone.utc):
                raise TimeoutError("came after its deadline")
            changed = work(asked["command"], asked["args"])
            say("report", {"reported": changed})
            end = head | {"status": "success", "evidence": {"changed": changed}}
        except Exception as error:
            end = head | {"status": "failure", "code": type(error).__name__, "reason": str(error)}
        keep(asked["command_id"], end)
    say("status", end | head)

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.username_pw_set(given["mqtt"]["username"], given["mqtt"]["password"])
client.on_connect = lambda client, userdata, flags, reason_code, properties: client.subscribe(f"{topic}/command")
client.on_subscribe, client.on_message = on_subscribe, on_message
if url.scheme == "mqtts":
    client.tls_set()
client.connect_async(url.hostname, url.port)
client.loop_start()
while True:
    time.sleep(30)
    if client.is_connected():  # else they would pile up
        say("heartbeat", {})
