#!/bin/sh
# A broker of MQTT 5 says in its acknowledgement that it has refused a message (PUBACK or PUBREC, 0x87, not authorized); an expert expects to hear of it from
# whatever waits for the acknowledgement. aiomqtt 2.5.1 returns from `await publish(...)` as after a success. paho-mqtt 2.2.0 tells on_publish the
# reason with QoS 1, but "Success" with QoS 2: it answers the refusal with PUBREL, which mosquitto 2.0.11 completes; wait_for_publish() and
# is_published() tell no refusal at all. npm's mqtt 5.16.0 calls back with an error for both.
#
# Seen, with QoS 1 and QoS 2, of a message to a topic that mosquitto's access list does not give:
#   {'paho': ['Not authorized', 'Success'], 'paho, is_published': [True, True], 'aiomqtt': ['published', 'published'],
#    'mqtt.js': ['Publish error: Not authorized', 'Publish error: Not authorized'], 'arrived': 0}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q paho-mqtt==2.2.0 aiomqtt==2.5.1 2>/dev/null
cd "$folder"
npm install --silent --no-audit --no-fund mqtt@5.16.0 >/dev/null 2>&1
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
cat > publish.mjs <<'JS'
import mqtt from "mqtt";

const [port, qos] = process.argv.slice(2).map(Number);
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
const told = await client.publishAsync("shut/door", "1", { qos }).then(() => "published", (error) => error.message);
console.log(told);
client.end();
JS
"$folder/venv/bin/python" - <<'PROBE'
import asyncio
import subprocess

import aiomqtt
import paho.mqtt.client as mqtt
from brokers import heard, mosquitto, whole
from paho.mqtt.enums import CallbackAPIVersion
from servers import told

ACL = "topic read #\ntopic write open/#\n"


def by_paho(port, qos):
    reasons = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_publish = lambda client, data, number, reason, properties: reasons.append(str(reason))
    client.connect("127.0.0.1", port)
    client.loop_start()
    info = client.publish("shut/door", "1", qos)
    info.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()
    return reasons[0], info.is_published()


async def by_aiomqtt(port, qos):
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        try:
            await client.publish("shut/door", "1", qos=qos)
        except aiomqtt.MqttError as error:
            return str(error)
        return "published"


def by_js(port, qos):
    command = ["node", "publish.mjs", str(port), str(qos)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


with mosquitto(ACL) as port, heard(port, "#") as came:
    paho = [by_paho(port, qos) for qos in (1, 2)]
    seen = {
        "paho": [reason for reason, _ in paho],
        "paho, is_published": [published for _, published in paho],
        "aiomqtt": [asyncio.run(by_aiomqtt(port, qos)) for qos in (1, 2)],
        "mqtt.js": [by_js(port, qos) for qos in (1, 2)],
        "arrived": len(whole(port, "open/last", came)),
    }
expected = {
    "paho": ["Not authorized", "Success"],
    "paho, is_published": [True, True],
    "aiomqtt": ["published"] * 2,
    "mqtt.js": ["Publish error: Not authorized"] * 2,
    "arrived": 0,
}
told(seen, expected)
PROBE
