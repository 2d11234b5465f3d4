// Load the page anew when the server says that it is old. Only under runserver, and with DEBUG.

const reload = topics.connect().subscribe("channels-reload");
let boot;
reload.on("publication", () => location.reload());
reload.on("subscribed", async () => {
  const found = await reload.rpc("boot").catch(() => boot);
  if (boot !== undefined && found !== boot) location.reload();
  boot = found;
});
