"""Exec credential plugins (client.authentication.k8s.io v1 and v1beta1).

The official package logs a failure and goes on as nobody; here it is an error. The plugin gets no
terminal (the dashboard owns it), and its stderr ends in our message, not on the screen.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from typing import Any

from fluxstate_tui.kube.credentials import Credential
from fluxstate_tui.kube.errors import NOTHING_SENT, CredentialError
from fluxstate_tui.kube.kubeconfig import Target
from fluxstate_tui.kube.status_errors import shorten

_GROUP = "client.authentication.k8s.io/"
_EXTENSION = "client.authentication.k8s.io/exec"
_CLUSTER_FIELDS = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)
PLUGIN_SECONDS = 60.0


class ExecPluginSource:
    """Runs the plugin of this user and understands its answer."""

    renewable = True

    def __init__(self, target: Target, timeout: float = PLUGIN_SECONDS) -> None:
        self._target = target
        self._timeout = timeout
        self._config: dict[str, Any] = target.user.data["exec"]
        self._command = str(self._config.get("command") or "")
        self._api_version = str(self._config.get("apiVersion") or "")

    async def fetch(self) -> Credential:
        """Run it once; raises CredentialError with what it said."""
        if not self._command or not self._api_version.startswith(_GROUP):
            raise self._failed("its stanza needs `command` and `apiVersion`")
        if self._config.get("interactiveMode") == "Always":
            raise self._failed("it wants a terminal, and the dashboard has it")
        return self._understand(await self._run())

    async def _run(self) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program(),
                *[str(argument) for argument in self._config.get("args") or ()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
            )
        except OSError as error:
            hint = str(self._config.get("installHint") or "").strip()
            raise self._failed(f"it cannot be started ({error.strerror})", hint) from error
        try:
            async with asyncio.timeout(self._timeout):
                output, complaint = await process.communicate()
        except TimeoutError as error:
            raise self._failed(f"it did not finish within {self._timeout:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            said = shorten(complaint) or "it said nothing"
            raise self._failed(f"exit code {process.returncode}: {said}")
        return output

    def _program(self) -> str:
        """As client-go: a relative path starts at the kubeconfig, a bare name is looked up."""
        if os.sep in self._command:
            return str(self._target.user.directory / self._command)
        return self._command

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        for pair in self._config.get("env") or ():
            environment[str(pair["name"])] = str(pair["value"])
        spec: dict[str, Any] = {"interactive": False}
        if self._config.get("provideClusterInfo"):
            spec["cluster"] = self._cluster_info()
        info = {"apiVersion": self._api_version, "kind": "ExecCredential", "spec": spec}
        environment["KUBERNETES_EXEC_INFO"] = json.dumps(info)
        return environment

    def _cluster_info(self) -> dict[str, Any]:
        cluster = self._target.cluster.data
        info = {field: cluster[field] for field in _CLUSTER_FIELDS if field in cluster}
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == _EXTENSION:
                info["config"] = extension.get("extension")
        return info

    def _understand(self, output: bytes) -> Credential:
        try:
            answer = json.loads(output)
            status = answer["status"]
            version, kind = answer["apiVersion"], answer["kind"]
            token = str(status.get("token") or "")
            certificate = str(status.get("clientCertificateData") or "")
            key = str(status.get("clientKeyData") or "")
            expires = _epoch(status.get("expirationTimestamp"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._failed("its output is not an ExecCredential") from error
        if version != self._api_version or kind != "ExecCredential":
            raise self._failed(f"it answered {kind} {version} instead of {self._api_version}")
        if bool(certificate) != bool(key):
            raise self._failed("it gave a certificate without its key, or the other way round")
        if not token and not certificate:
            raise self._failed("it gave neither a token nor a certificate")
        return Credential(f"Bearer {token}" if token else "", certificate, key, expires)

    def _failed(self, why: str, hint: str = "") -> CredentialError:
        return CredentialError(
            f"The credential plugin '{self._command}' of user '{self._target.user.name}' failed: "
            f"{why}.",
            safe=NOTHING_SENT,
            advice=hint or "Run it by hand to see what it needs (perhaps a fresh login).",
        )


def _epoch(text: object) -> float | None:
    if not text:
        return None
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
