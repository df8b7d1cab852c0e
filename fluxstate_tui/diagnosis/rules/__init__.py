"""The rules, by what they look at. Each module adds its own to `diagnosis/rule.py`."""
