"""What a screen reader says by itself while a page changes."""

from __future__ import annotations

from selenium.webdriver import Chrome

#: Notes what changes in live regions: all of one that is said whole, of others what was put in. The state of
#: the connection is passed over: it may change at any time on a loaded machine.
LISTEN = """
const WHOLE = "output, [role=status], [role=alert]";
const LIVE = `${WHOLE}, [role=log], [aria-live]`;
window.announced = [];
new MutationObserver((changes) => {
  const said = new Set();
  for (const { target, addedNodes } of changes) {
    const region = (target.closest ? target : target.parentElement)?.closest(LIVE);
    if (!region || region.id === "status" || region.ariaLive === "off") continue;
    const parts = region.matches(WHOLE) ? [region] : [...addedNodes];
    for (const part of parts) if (part.textContent.trim()) said.add(part.textContent.trim());
  }
  announced.push(...said);
}).observe(document.body, { childList: true, characterData: true, subtree: true });
"""


def listen(window: Chrome) -> None:
    """Note from now on what is said in a page, until it is left."""
    window.execute_script(LISTEN)


def announced(window: Chrome) -> list[str]:
    """Return what was said since :func:`listen`, or since the last call."""
    found: list[str] = window.execute_script("return announced.splice(0)")
    return found
