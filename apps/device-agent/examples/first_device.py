#!/usr/bin/env python3
"""The smallest device. Needs paho-mqtt 2. Usage: first_device.py PROJECT CREDENTIALS.json"""
import json, sys, time, uuid
from urllib.parse import urlsplit
import paho.mqtt.client as mqtt

given = json.load(open(sys.argv[2]))
topic, url = f"muster/dev/{sys.argv[1]}/{given['device_id']}", urlsplit(given["mqtt"]["url"])
state, ends, boot_id = {"version": "1.0.0"}, {}, str(uuid.uuid4())

def say(channel, payload):
    client.publish(f"{topic}/{channel}", json.dumps(payload), qos=1)

def on_message(client, userdata, message):
    asked = json.loads(message.payload)
    if asked["command_id"] not in ends:  # a copy of a command is only answered again
        known = asked["command"] == "CONVERGE"
        if known:
            state.update(asked["args"]["desired"])
            say("report", {"reported": state})
        ends[asked["command_id"]] = {"status": "success"} if known else {"status": "failure", "code": "unknown"}
    say("status", {"command_id": asked["command_id"], "fence": asked["fence"], **ends[asked["command_id"]]})

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.username_pw_set(given["mqtt"]["username"], given["mqtt"]["password"])
client.on_connect = lambda *_: client.subscribe(f"{topic}/command")
client.on_subscribe = lambda *_: say("hello", {"agent": "first", "boot_id": boot_id, "reported": state})
client.on_message = on_message
if url.scheme == "mqtts": client.tls_set()
client.connect(url.hostname, url.port)
client.loop_start()
while True:
    time.sleep(30)
    say("heartbeat", {})
