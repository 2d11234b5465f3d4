#!/bin/sh
# A client of MQTT 5 that says Topic Alias Maximum in its CONNECT gets messages whose topic is empty and given by a number that an earlier message has
# introduced. paho-mqtt 2.2.0 has this property among its own and sends it, but does not know the numbers: the topic of such a message is "", and callbacks
# for filters (message_callback_add) are not called. aiomqtt 2.5.1, which takes paho's properties, ends the connection at the first such
# message: "Disconnected during message iteration". One would expect the topic, as from gmqtt 0.8.0 and npm's mqtt 5.16.0.
#
# Seen, by client, the topics of two messages on "topic", the second by its alias:
#   {'paho': ['topic', ''], 'aiomqtt': ['topic', 'MqttError'], 'gmqtt': ['topic', 'topic'], 'mqtt.js': ['topic', 'topic']}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q paho-mqtt==2.2.0 aiomqtt==2.5.1 gmqtt==0.8.0 2>/dev/null
cd "$folder"
npm install --silent --no-audit --no-fund mqtt@5.16.0 >/dev/null 2>&1
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
cat > listen.mjs <<'JS'
import mqtt from "mqtt";

const options = { protocolVersion: 5, properties: { topicAliasMaximum: 10 } };
const client = mqtt.connect(`mqtt://127.0.0.1:${process.argv[2]}`, options);
const topics = [];
client.on("connect", () => client.subscribe("topic"));
client.on("message", (topic) => {
  topics.push(topic);
  if (topics.length === 2) {
    console.log(JSON.stringify(topics));
    client.end(true);
  }
});
JS
"$folder/venv/bin/python" - 2>/dev/null <<'PROBE'
import asyncio
import json

import aiomqtt
import gmqtt
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import told

ALIAS = b"\x03\x23\x00\x01"  # properties of three bytes: Topic Alias, 1


def packet(kind, body):
    return bytes([kind, len(body)]) + body


async def broker(reader, writer):
    """Take a client and its subscription, and send two messages on "topic", the second by its alias."""
    try:
        while True:
            kind, length = await reader.readexactly(2)
            body = await reader.readexactly(length)
            if kind == 0x10:
                writer.write(packet(0x20, b"\0\0\0"))
            elif kind == 0x82:
                writer.write(packet(0x90, body[:2] + b"\0\0"))
                writer.write(packet(0x30, b"\0\5topic" + ALIAS + b"first"))
                writer.write(packet(0x30, b"\0\0" + ALIAS + b"second"))
    except asyncio.IncompleteReadError:
        writer.close()


def offer():
    properties = Properties(PacketTypes.CONNECT)
    properties.TopicAliasMaximum = 10
    return properties


def by_paho(port, topics):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_connect = lambda *_: client.subscribe("topic")

    def heard(client, data, message):
        topics.append(message.topic)
        if len(topics) == 2:
            client.disconnect()

    client.on_message = heard
    client.connect("127.0.0.1", port, properties=offer())
    client.loop_forever()


async def by_aiomqtt(port, topics):
    try:
        version = aiomqtt.ProtocolVersion.V5
        async with aiomqtt.Client("127.0.0.1", port, protocol=version, properties=offer()) as client:
            await client.subscribe("topic")
            async for message in client.messages:
                topics.append(str(message.topic))
                if len(topics) == 2:
                    return
    except aiomqtt.MqttError as error:
        topics.append(type(error).__name__)


async def by_gmqtt(port, topics):
    client, both = gmqtt.Client("probe", topic_alias_maximum=10), asyncio.Event()

    def heard(client, topic, payload, qos, properties):
        topics.append(topic)
        if len(topics) == 2:
            both.set()

    client.on_message = heard
    await client.connect("127.0.0.1", port)
    client.subscribe("topic")
    await both.wait()
    await client.disconnect()


async def by_js(port, topics):
    process = await asyncio.create_subprocess_exec("node", "listen.mjs", str(port), stdout=-1)
    topics.extend(json.loads((await process.communicate())[0]))


async def main():
    listener = await asyncio.start_server(broker, "127.0.0.1", 0)
    port, seen = listener.sockets[0].getsockname()[1], {}
    clients = {"paho": by_paho, "aiomqtt": by_aiomqtt, "gmqtt": by_gmqtt, "mqtt.js": by_js}
    for name, client in clients.items():
        topics = seen[name] = []
        asked = asyncio.to_thread(client, port, topics) if client is by_paho else client(port, topics)
        await asyncio.wait_for(asked, 20)
    return seen


both = ["topic", "topic"]
expected = {"paho": ["topic", ""], "aiomqtt": ["topic", "MqttError"], "gmqtt": both, "mqtt.js": both}
told(asyncio.run(main()), expected)
PROBE
