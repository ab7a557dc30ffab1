"""`/v1/certificates`: what sealed senders show inside the encryption."""

from __future__ import annotations

from litestar import Router, get

from linnet.server.api.requests import Call, bearer
from linnet.server.api.schema import ACCESS
from linnet.server.services.callers import Callers
from linnet.server.services.certificates import Certificates
from linnet.wire.rest import SenderCertificate, TrustRoot


def certificates(service: Certificates, callers: Callers) -> Router:
    """One's own certificate, and the key that all lead back to."""

    @get("/sender", security=ACCESS)
    async def sender(request: Call) -> SenderCertificate:
        """Certify the calling device for a day."""
        return await service.sender(await callers.admit(bearer(request)))

    @get("/root")
    async def root() -> TrustRoot:
        """Fetch the trust root."""
        return service.root()

    return Router("/certificates", route_handlers=[sender, root], tags=["certificates"])
