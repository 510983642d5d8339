"""The provider that stores each session in a file."""

from sojourn.providers.file.provider import FileProvider as FileProvider
