"""Echo and room on socketify, that is uWebSockets: its own publish, which writes once per socket and turn."""

import sys

from socketify import App, CompressOptions

app = App()
OPTIONS = {"compression": CompressOptions.DISABLED, "max_payload_length": 65536, "idle_timeout": 120}


def echo(ws, message, opcode):
    ws.send(message, opcode)


def publish(ws, message, opcode):
    app.publish("room", message, opcode)


app.get("/", lambda response, request: response.end("Hello, reader."))
app.ws("/ws/echo/", {**OPTIONS, "message": echo})
app.ws("/ws/*", {**OPTIONS, "open": lambda ws: ws.subscribe("room"), "message": publish})
app.listen(int(sys.argv[1]), lambda config: None)
app.run()
