// Echo and room on node's ws: every member gets the message, sent one by one as its documentation shows.
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: false });

server.on("connection", (socket, request) => {
  const echoes = request.url.includes("echo");
  socket.on("error", () => socket.terminate());
  socket.on("message", (data) => {
    if (echoes) return socket.send(data, { binary: false });
    for (const member of server.clients) if (member.readyState === 1) member.send(data, { binary: false });
  });
});
