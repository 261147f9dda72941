"""Write every generated file anew: `python -m scripts.contracts`."""

from scripts.contracts.files import committed, generated

expected = generated()
for stale in committed() - expected.keys():
    stale.unlink()
for path, text in expected.items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
