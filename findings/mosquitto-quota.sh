#!/bin/sh
# mosquitto 2.0.11 takes 20 messages of QoS 2 at a time from a client (Receive Maximum in its CONNACK, max_inflight_messages by default). Each one
# more it refuses with PUBREC 0x97, quota exceeded; an expert expects a disconnect (0x93), after which they are sent again, and clients that
# keep to the number. npm's mqtt 5.16.0 does not: a loop that publishes 100 messages loses many, with an error for each. paho-mqtt 2.2.0 has a
# limit of its own, 20, and with a larger one (max_inflight_messages_set) does not look at the broker's; it passes over the refusals too,
# and says "Success" of each of 100 messages "exactly once", of which many never arrive. Both stay connected.
#
# Seen, of 100 messages of QoS 2 at once: what the client was told of them, whether more than 20 and fewer than 100 arrived, and how often it connected:
#   {'paho': [['Success'], True, 1], 'mqtt.js': [['Publish error: Quota exceeded', 'Success'], True, 1]}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q paho-mqtt==2.2.0 2>/dev/null
cd "$folder"
npm install --silent --no-audit --no-fund mqtt@5.16.0 >/dev/null 2>&1
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
cat > publish.mjs <<'JS'
import mqtt from "mqtt";

const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${process.argv[2]}`, { protocolVersion: 5 });
let connects = 1;
client.on("connect", () => connects++);
const told = (number) => client.publishAsync("topic", String(number), { qos: 2 }).then(() => "Success", (error) => error.message);
const all = await Promise.all([...Array(100).keys()].map(told));
await client.endAsync();
console.log(JSON.stringify([all, connects]));
JS
"$folder/venv/bin/python" - <<'PROBE'
import json
import subprocess
import threading

import paho.mqtt.client as mqtt
from brokers import heard, mosquitto, whole
from paho.mqtt.enums import CallbackAPIVersion
from servers import told


def by_paho(port):
    reasons, connects, done = [], [], threading.Event()

    def published(client, data, number, reason, properties):
        reasons.append(str(reason))
        if len(reasons) == 100:
            done.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(100)
    client.on_publish = published
    client.on_connect = lambda *_: connects.append(1)
    client.connect("127.0.0.1", port)
    for number in range(100):
        client.publish("topic", str(number), 2)
    client.loop_start()
    done.wait(30)
    client.disconnect()
    client.loop_stop()
    return reasons, len(connects)


def by_js(port):
    command = ["node", "publish.mjs", str(port)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


seen = {}
for name, publish in (("paho", by_paho), ("mqtt.js", by_js)):
    with mosquitto() as port, heard(port, "topic") as came:
        reasons, connects = publish(port)
        arrived = len(whole(port, "topic", came))
    print(name, "was told", {each: reasons.count(each) for each in sorted(set(reasons))}, "and arrived", arrived)
    seen[name] = [sorted(set(reasons)), 20 <= arrived < 100 and len(reasons) == 100, connects]
expected = {"paho": [["Success"], True, 1], "mqtt.js": [["Publish error: Quota exceeded", "Success"], True, 1]}
told(seen, expected)
PROBE
