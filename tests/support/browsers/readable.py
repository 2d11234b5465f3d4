"""What everybody must be able to read and to reach on a page, as far as a browser can compute it."""

from __future__ import annotations

from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import DESKTOP, calm, dark, resize

NARROW = (360, 740)

#: Returns what is wrong: contrast below that of WCAG's AA, controls without a name, what is missing, and what
#: screen readers would read out whole at each change of a part.
FAULTS = """
const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
const context = canvas.getContext("2d", { willReadFrequently: true });
function read(colour) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}
const over = (top, below) => [...[0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])), 1];
const parents = (element) => (element ? [element, ...parents(element.parentElement)] : []);
const ground = (element) =>
  parents(element).reverse().map((each) => read(getComputedStyle(each).backgroundColor))
    .reduce((below, top) => over(top, below), [255, 255, 255, 1]);
const opacity = (element) => parents(element).reduce((all, each) => all * getComputedStyle(each).opacity, 1);
const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const light = (colour) =>
  [0.2126, 0.7152, 0.0722].reduce((sum, share, n) => sum + share * linear(colour[n] / 255), 0);
function ratio(one, other) {
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}
const faults = [];
function contrast(element, colour, least, what) {
  const behind = ground(what === "edge" ? element.parentElement : element);
  const [red, green, blue, alpha] = read(colour);
  const found = ratio(over([red, green, blue, alpha * opacity(element)], behind), behind);
  if (found < least) faults.push(`${what} of ${element.outerHTML.slice(0, 80)}: ${found.toFixed(2)}`);
}
const isField = (element) => element.matches("input:not([type=hidden], [type=checkbox])");
for (const element of document.querySelectorAll("body *:not(noscript, script, .unseen, :disabled)")) {
  if (element.getBoundingClientRect().top > 2 * innerHeight) continue; // like those above
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (isField(element)) {
    contrast(element, style.borderTopColor, 3, "edge");
    const { color } = getComputedStyle(element, "::placeholder");
    if (element.placeholder) contrast(element, color, 4.5, "placeholder");
  }
  if ([...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
    contrast(element, style.color, large ? 3 : 4.5, "text");
  const named = element.ariaLabel || element.labels?.length || element.textContent.trim();
  if (element.matches("a, button, input:not([type=hidden]), canvas:not([aria-hidden])") && !named)
    faults.push(`no name: ${element.outerHTML.slice(0, 80)}`);
}
for (const [selector, count] of [["main", 1], ["h1", 1], ["body > header", 1], ["html[lang]", 1]])
  if (document.querySelectorAll(selector).length !== count) faults.push(`not one ${selector}`);
const LIVE = "output, [role=status], [role=alert], [aria-live=polite], [aria-live=assertive]";
for (const region of document.querySelectorAll(`:is(${LIVE}):not([role=log], [aria-live=off])`))
  if (region.querySelectorAll("*").length > 3 || region.querySelector("li, tr, input, button"))
    faults.push(`said whole: ${region.outerHTML.slice(0, 80)}`);
if (document.documentElement.scrollWidth > innerWidth) faults.push(`wider than ${innerWidth}`);
return faults.slice(0, 9);
"""
#: Returns what moves, for somebody who does not want that.
MOVING = """
const running = document.getAnimations().filter(({ playState }) => playState === "running");
const found = running.map(({ effect }) => effect.target.outerHTML.slice(0, 80));
const lasts = (times) => times.split(",").some((time) => parseFloat(time) > 0);
for (const element of document.querySelectorAll("html, body, body *:not(noscript, script)")) {
  if (element.getBoundingClientRect().top > 2 * innerHeight) continue; // like those above
  for (const part of [null, "::before", "::after"]) {
    const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(element, part);
    if (animationName !== "none" || lasts(transitionDuration) || scrollBehavior === "smooth")
      found.push(`${element.outerHTML.slice(0, 80)} ${part ?? ""}`);
  }
}
return found.slice(0, 9);
"""
#: What has the focus, and whether that is to be seen.
FOCUS = """
const { activeElement: at } = document;
const { outlineStyle, outlineWidth } = getComputedStyle(at);
const outlined = outlineStyle !== "none" && outlineWidth !== "0px";
return [at.outerHTML.slice(0, 80), at.matches(":focus-visible") && outlined];
"""


def assert_readable(window: Chrome) -> None:
    """Look at a page on a narrow phone and on a desk, by day and by night; then it has its size again."""
    before = window.execute_script("return [innerWidth, innerHeight]")
    for size in (NARROW, DESKTOP):
        resize(window, size)
        for night in (True, False):
            dark(window, night)
            faults = window.execute_script(FAULTS)
            assert not faults, (window.current_url, size, "dark" if night else "light", faults)
    resize(window, tuple(before))
    assert_calm(window)


def assert_calm(window: Chrome) -> None:
    """Look whether something moves for somebody who has asked the system for less motion."""
    calm(window, True)
    moving = window.execute_script(MOVING)
    calm(window, False)
    assert not moving, (window.current_url, moving)


def assert_focus_shows(window: Chrome, steps: int) -> None:
    """Go from the top of the page by the Tab key; what has the focus is to be seen each time."""
    window.execute_script("document.activeElement.blur()")
    for _ in range(steps):
        ActionChains(window).send_keys(Keys.TAB).perform()
        element, shows = window.execute_script(FOCUS)
        assert shows, element
