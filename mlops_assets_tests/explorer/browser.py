"""A real browser for the tests: headless Chromium, steered through its own driver."""

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_assets_tests.io_managers.servers import ROOT, absent

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

T = TypeVar("T")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
_CHECK = """
const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => done(violations));
"""
PATIENCE = 60
"""Seconds until something has to be on the page."""
WIDE, PHONE = (1280, 900), (360, 720)


class Browser:
    """A page in a browser, and what it has said and saved."""

    def __init__(self, driver: "Chrome", downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, address: str, size: tuple[int, int] = WIDE, theme: str = "light") -> None:
        """Open an address anew, in a window of a size, of a system with a theme, and wait until it is drawn."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.prefer(theme)
        self.leave()
        self.driver.get(address)
        self.settled()

    def leave(self) -> None:
        """Go from the page, so that it asks for nothing more."""
        self.driver.get("about:blank")

    def prefer(self, theme: str) -> None:
        """Let the system have a theme, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def settled(self) -> None:
        """Wait until the page is not busy, and what it draws is drawn."""
        self.wait(
            lambda: self.run(
                "return !document.querySelector('[aria-busy]') && !!document.querySelector('main, #view > *')"
            )
        )
        self.wait(lambda: self.run("return [...document.querySelectorAll('.plot')].every((plot) => plot.firstChild)"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def find(self, css: str) -> Any:
        """Return the first element of a kind that can be seen, as soon as it is there."""
        from selenium.webdriver.common.by import By

        return self.wait(
            lambda: next(
                (each for each in self.driver.find_elements(By.CSS_SELECTOR, css) if each.is_displayed()), None
            )
        )

    def text(self, css: str = "body") -> str:
        """Return what a person reads in it."""
        return self.find(css).text

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def saved(self, name: str) -> bytes:
        """Return a file that was downloaded."""
        file = self.downloads / name
        return self.wait(lambda: file.read_bytes() if file.exists() else b"")

    def printed(self) -> list[bytes]:
        """Return the pages that it would print, each as it stands in the PDF (ISO 32000, 7.7.3.3)."""
        made = self.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]
        return re.findall(rb"/Type\s*/Page\b", base64.b64decode(made))

    def wait(self, condition: Callable[[], T]) -> T:
        """Wait until a condition gives something, and return that."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.driver, PATIENCE, 0.03, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: condition())

    def complaints(self) -> list[str]:
        """Return the errors of the page since this was asked last, those of its content security policy among them."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def findings(self) -> list[str]:
        """Return what axe-core finds that is serious or critical (WCAG 2.2 A and AA, and good practice)."""
        if not self.run("return !!window.axe"):
            self.run(_axe())
        found = self.driver.execute_async_script(_CHECK)
        return [
            f"{finding['id']}: {node['target']} {node['failureSummary']}"
            for finding in found
            if finding["impact"] in {"serious", "critical"}
            for node in finding["nodes"]
        ]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a new profile in a folder; what it saves lands there, too."""
    chromium, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        absent("Chromium with its driver", "apt-get install chromium chromium-driver (make services)")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    downloads = folder / "downloads"
    downloads.mkdir()
    options = ChromeOptions()
    options.binary_location = str(chromium)
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = Chrome(options=options, service=Service(str(driver)))
    try:
        opened.set_script_timeout(60)
        opened.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
        yield Browser(opened, downloads)
    finally:
        opened.quit()


def _axe() -> str:
    found = sorted((ROOT / ".services").glob("axe-core-*/axe.min.js"))
    if not found:
        absent("axe-core", "make services")
    return found[-1].read_text(encoding="utf-8")
