"""Run Debian's mosquitto, and hear what it passes on."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from servers import wait_for

PROGRAM, VERSION = "mosquitto", "2.0.11"


@contextlib.contextmanager
def mosquitto(acl="topic readwrite #\n"):
    """Run the broker with this access list and yield its port; end with 1 if its version is another one."""
    said = subprocess.run([PROGRAM, "-h"], capture_output=True, check=False, text=True).stdout
    if f"mosquitto version {VERSION}\n" not in said:
        sys.exit(f"this is for mosquitto {VERSION}: {said.splitlines()[:1]}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/acl", "w") as file:
            file.write(acl)
        with open(f"{folder}/config", "w") as file:
            file.write(f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {folder}/acl\n")
        process = subprocess.Popen([PROGRAM, "-c", f"{folder}/config"], stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def heard(port, topic):
    """Subscribe to ``topic`` with QoS 2 and yield the list to which payloads are added, as text."""
    came, subscribed = [], threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda client, data, message: came.append(message.payload.decode())
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(topic, 2)
    if not subscribed.wait(20):
        raise SystemExit("mosquitto does not answer")
    try:
        yield came
    finally:
        client.disconnect()
        client.loop_stop()


def whole(port, topic, came):
    """Return what was heard on ``topic`` before a last message, which this sends."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, "last", 2).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()
    for _ in range(200):
        if "last" in came:
            return came[: came.index("last")]
        time.sleep(0.1)
    raise SystemExit("the last message has not come")
