"""The composition root: settings become adapters, adapters become `Ports`, ports become the web app or a worker.

In: `Config`. Out: `Ports`, the Flask app. Invariant: only here do vendors' names meet. Never: a rule of the trade.
"""

from __future__ import annotations

import logging
import sys
from functools import cached_property, partial
from typing import TYPE_CHECKING

import structlog
from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import config as settings
from portal import i18n, migrations, shop
from portal.config import Config
from portal.db import Database
from portal.files import Files
from portal.flow import Ports, make_river
from portal.labels.documents import Codes, Documents, LabelDoc, Rendered, SlipDoc
from portal.notices.mailer import Mailer
from portal.orders.payments import PaymentMaker
from portal.orders.source import OrderSource
from portal.refunds.credit_notes import CreditNoteDoc, CreditNotePapers
from portal.refunds.pace import Pace, PacedCaptures, PacedGateway
from portal.returns.photos import Encoded, Photos

if TYPE_CHECKING:
    from portal.adapters.stripe_gateway import StripeGateway


class LazyDocuments:
    """WeasyPrint costs 0.4 s and 40 MB, so a process that prints nothing never loads it."""

    @cached_property
    def _real(self) -> Documents:
        from portal.adapters.weasyprint_documents import WeasyprintDocuments

        return WeasyprintDocuments(i18n.catalogue)

    def label_pdf(self, doc: LabelDoc) -> Rendered:
        """See `labels.documents.Documents`."""
        return self._real.label_pdf(doc)

    def slip_pdf(self, doc: SlipDoc) -> Rendered:
        """See `labels.documents.Documents`."""
        return self._real.slip_pdf(doc)

    def missing_glyphs(self, text: str) -> frozenset[str]:
        """See `labels.documents.Documents`."""
        return self._real.missing_glyphs(text)

    def check(self) -> list[str]:
        """See `labels.documents.Documents`."""
        return self._real.check()


class LazyCreditNotes:
    """The same for credit notes."""

    @cached_property
    def _real(self) -> CreditNotePapers:
        from portal.adapters.weasyprint_credit_notes import WeasyprintCreditNotes

        return WeasyprintCreditNotes(i18n.catalogue)

    def credit_note_pdf(self, doc: CreditNoteDoc) -> Rendered:
        """See `refunds.credit_notes.CreditNotePapers`."""
        return self._real.credit_note_pdf(doc)


class LazyCodes:
    """Codes are drawn for customers' pages only; a worker never loads the library for them."""

    @cached_property
    def _real(self) -> Codes:
        from portal.adapters.zxing_codes import ZxingCodes

        return ZxingCodes()

    def qr_png(self, text: str, module_px: int = 6) -> bytes:
        """See `labels.documents.Codes`."""
        return self._real.qr_png(text, module_px)

    def qr_svg(self, text: str, module_px: int = 6) -> str:
        """See `labels.documents.Codes`."""
        return self._real.qr_svg(text, module_px)

    def code128_png(self, text: str, module_px: int = 3, height_px: int = 200) -> bytes:
        """See `labels.documents.Codes`."""
        return self._real.code128_png(text, module_px, height_px)


class LazyPhotos:
    """Decoders of photos are loaded with the first upload."""

    @cached_property
    def _real(self) -> Photos:
        from portal.adapters.pillow_photos import PillowPhotos

        return PillowPhotos()

    def reencode(self, data: bytes, file_name: str) -> Encoded:
        """See `returns.photos.Photos`."""
        return self._real.reencode(data, file_name)


def make_files(config: Config) -> Files:
    """The folder or the bucket of ``PORTAL_STORAGE_URL``."""
    if config.storage_url.startswith("s3:"):
        from portal.adapters.obstore_files import ObstoreFiles

        return ObstoreFiles(config.storage_url)
    from portal.adapters.folder_files import FolderFiles

    return FolderFiles(config.storage_url.removeprefix("file:"))


def make_mailer(config: Config) -> Mailer:
    """The mail server or the folder of ``PORTAL_MAIL_URL``."""
    if config.mail_url.startswith("file:"):
        from portal.adapters.folder_mailer import FolderMailer

        return FolderMailer(config.mail_url.removeprefix("file:"))
    from portal.adapters.smtp_mailer import SmtpMailer

    return SmtpMailer(config.mail_url)


def make_gateway(config: Config) -> StripeGateway:
    """Stripe, or its stand-in when ``PORTAL_STRIPE_API_BASE`` points there."""
    from portal.adapters.stripe_gateway import StripeGateway

    return StripeGateway(config.stripe_api_key, config.stripe_api_base)


def make_order_sources() -> dict[str, OrderSource]:
    """The formats that orders can be imported from, in the order in which an unnamed file is tried."""
    from portal.adapters.portal_orders import PortalOrders
    from portal.adapters.retail_csv_orders import RetailCsvOrders
    from portal.adapters.shopify_orders import ShopifyOrders
    from portal.adapters.woocommerce_orders import WooCommerceOrders

    sources: tuple[OrderSource, ...] = (PortalOrders(), ShopifyOrders(), WooCommerceOrders(), RetailCsvOrders())
    return {source.name: source for source in sources}


def make_payment_maker(config: Config) -> PaymentMaker:
    """Stripe's test card, for imported orders. Raises `ConfigError` unless the key is a test key."""
    from portal.adapters.stripe_payments import StripePayments

    return StripePayments(config.stripe_api_key, config.stripe_api_base)


def make_ports(config: Config, *, pool_size: int = 5) -> Ports:
    """Everything outside the program, ready to use. Opens no connection yet."""
    merchant = shop.load(config.policy_dir / "shop.yaml")
    database = Database(config.database_url, pool_size=pool_size, river=make_river(merchant))
    stripe, pace = make_gateway(config), Pace(database, merchant.refunds.per_second)
    return Ports(
        config=config,
        shop=merchant,
        database=database,
        gateway=PacedGateway(stripe, pace),
        captures=PacedCaptures(stripe, pace),
        mailer=make_mailer(config),
        documents=LazyDocuments(),
        credit_note_papers=LazyCreditNotes(),
        codes=LazyCodes(),
        photos=LazyPhotos(),
        files=make_files(config),
        schema_head=migrations.head(),
        order_sources=make_order_sources(),
        payment_maker=partial(make_payment_maker, config),
    )


def set_up_logging(config: Config) -> None:
    """One line of JSON per event on standard error; on a terminal, coloured words instead."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not terminal else structlog.processors.StackInfoRenderer(),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[config.log_level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelNamesMapping()[config.log_level]))


def create_app(config: Config | None = None, ports: Ports | None = None) -> APIFlask:
    """The web app: customers' and staff's pages, the API and Stripe's hook.

    Raises `ConfigError` when a setting is wrong; `serve` and the command line print its lines and stop.
    """
    config = config or (ports.config if ports else settings.load())
    set_up_logging(config)
    ports = ports or make_ports(config)
    from portal import api, cli, web

    app = APIFlask(
        "portal",
        title="Returns portal",
        version="1",
        spec_path=None,
        docs_path=None,
        json_errors=False,
        root_path=str(settings.ROOT),
        static_folder=str(settings.ROOT / "static"),
        template_folder=str(settings.ROOT / "templates"),
    )
    app.extensions["portal"] = ports
    app.secret_key = config.secret_key
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    web.register(app, ports)
    for blueprint in api.register(app):
        web.csrf.exempt(blueprint)
    cli.register(app)
    return app


def main() -> None:
    """The console script ``portal``."""
    from portal import cli

    cli.make_group(create_app)()
