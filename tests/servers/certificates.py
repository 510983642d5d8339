"""Certificates that tests make, and that only those trust who are told to."""

from __future__ import annotations

import dataclasses
import secrets
import subprocess
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Self

from tests.servers.process import tool, workshop

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
OF_AN_AUTHORITY = ("basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign")
OF_A_SERVER = (
    "basicConstraints=critical,CA:false",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=serverAuth",
)
OF_THIS_MACHINE = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The files of a certificate for this machine, and of the authority that signed it."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def new(cls, *hosts: str) -> Self:
        """One by an authority of its own, which no other certificate has.

        `hosts`: names that this machine goes by besides its own.
        """
        folder = workshop() / f"certificate-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        made = cls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
        authority = folder / "ca.key"
        _request("Authority", OF_AN_AUTHORITY, made.ca, authority)
        signed_by = ("-CA", made.ca, "-CAkey", authority)
        names = ",".join([OF_THIS_MACHINE, *(f"DNS:{host}" for host in hosts)])
        _request("localhost", (*OF_A_SERVER, names), made.certificate, made.key, *signed_by)
        return made

    @property
    def fingerprint(self) -> str:
        """The hash of its public key, as browsers want it that are told to trust it."""
        armoured = _openssl("x509", "-in", self.certificate, "-pubkey", "-noout")
        key = b64decode(b"".join(armoured.splitlines()[1:-1]))
        return b64encode(sha256(key).digest()).decode()


def _request(
    name: str, extensions: tuple[str, ...], certificate: Path, key: Path, *more: str | Path
) -> None:
    _openssl(
        *("req", "-x509", *KEY, "-days", "2", "-subj", f"/CN=Sojourn {name}"),
        *(word for extension in extensions for word in ("-addext", extension)),
        *("-out", certificate, "-keyout", key, *more),
    )


def _openssl(*words: str | Path) -> bytes:
    return subprocess.run([tool("openssl"), *words], check=True, capture_output=True).stdout
