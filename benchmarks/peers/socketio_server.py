"""The room of python-socketio on aiohttp, for which it was first written."""

import pathlib
import sys

import uvloop
from aiohttp import web

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "apps"))
from socketio_room import room

uvloop.install()
application = web.Application()
room("aiohttp").attach(application)
web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
