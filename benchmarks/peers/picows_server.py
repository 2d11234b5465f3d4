"""Echo and room on picows: no framework, frames built in Cython."""

import sys

import picows
import uvloop

members = set()


class Room(picows.WSListener):
    def on_ws_connected(self, transport):
        members.add(transport)

    def on_ws_disconnected(self, transport):
        members.discard(transport)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == picows.WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            for member in members:
                member.send(picows.WSMsgType.TEXT, message)
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()


class Echo(picows.WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == picows.WSMsgType.TEXT:
            transport.send(picows.WSMsgType.TEXT, frame.get_payload_as_bytes())
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()


async def main(port):
    server = await picows.ws_create_server(
        lambda request: Echo() if b"echo" in request.path else Room(), "127.0.0.1", port
    )
    await server.serve_forever()


uvloop.run(main(int(sys.argv[1])))
