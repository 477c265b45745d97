"""Every table of the portal, imported in one place so that the metadata is whole (migrations, tests)."""

from portal.api import models as api
from portal.db import Base
from portal.jobs import Job, WorkerBeat
from portal.kept import KeptPage
from portal.labels import models as labels
from portal.limiter import RateCount
from portal.notices import models as notices
from portal.orders import models as orders
from portal.policybook import models as policybook
from portal.policybook import simulation as simulations
from portal.receiving import models as receiving
from portal.refunds import credit_note_models as credit_notes
from portal.refunds import models as refunds
from portal.returns import models as returns
from portal.reviews import models as reviews
from portal.staff import models as staff
from portal.timeline import models as timeline

metadata = Base.metadata

__all__ = [
    "Job",
    "KeptPage",
    "RateCount",
    "WorkerBeat",
    "api",
    "credit_notes",
    "labels",
    "metadata",
    "notices",
    "orders",
    "policybook",
    "receiving",
    "refunds",
    "returns",
    "reviews",
    "simulations",
    "staff",
    "timeline",
]
