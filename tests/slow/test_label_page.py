"""The page of `oo-sim label` in a real browser, by the keyboard: every pair gets its label, however fast one types.

Skipped only where no Chromium is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from oo_sim.generator.judging import read_labels
from oo_sim.generator.judging.labelling import LabelServer, Question

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAIRS = 40
KEYS = """<script>
let at = 0;
const typing = setInterval(() => {
  if (document.getElementById("main").hidden) { clearInterval(typing); return; }
  const key = at % 7 === 6 ? "Backspace" : "12345"[at % 5];
  at += 1;
  dispatchEvent(new KeyboardEvent("keydown", { key }));
  dispatchEvent(new KeyboardEvent("keydown", { key: "3" }));  // while the answer before is being saved
}, 1);
</script></html>"""
"""Types far faster than answers are saved, and now and then goes back."""


class Typed(LabelServer):
    """Serves the page with someone who types."""

    def page(self) -> bytes:
        """The page, and the keys."""
        return super().page().replace(b"</html>", KEYS.encode())


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_every_pair_gets_a_label_however_fast_one_types(tmp_path: Path) -> None:
    asked = [Question(at, f"u{at}", 9, ("walk",), (f"l{at}",), (f"r{at}",), bool(at % 2)) for at in range(PAIRS)]
    with Typed(asked, tmp_path / "l.csv") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
            command = [str(CHROMIUM), *flags, "--virtual-time-budget=20000", "--dump-dom", server.url]
            shown = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True).stdout
        finally:
            server.shutdown()
            thread.join()
    assert "All pairs are labelled" in shown
    assert sorted(label.position for label in read_labels(tmp_path / "l.csv")) == list(range(PAIRS))
