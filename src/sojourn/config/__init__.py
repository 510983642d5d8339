"""The settings of a manager: `Config`, the checks, and the conversion of Beego's settings."""

from sojourn.config.config import Config

__all__ = ["Config"]
