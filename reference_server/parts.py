"""The parts of a server, by name: what a variant of it may exchange.

`REFERENCE` is the server as it should be; `assembly` puts the parts together. Each part is a class or a function that
makes one, so that a variant is one subclass with one method of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import grpc.aio
from cartsync.v1 import (
    address_book_pb2,
    address_book_pb2_grpc,
    guest_claim_pb2,
    guest_claim_pb2_grpc,
    payment_methods_pb2,
    payment_methods_pb2_grpc,
    service_pb2,
    service_pb2_grpc,
    wishlist_pb2,
    wishlist_pb2_grpc,
)
from google.protobuf.descriptor import ServiceDescriptor

from reference_server.catalog import demo_catalog, load_catalog
from reference_server.clock import SystemClock
from reference_server.commits import Commits
from reference_server.config import Config, RateLimit
from reference_server.credentials import Credentials, DevelopmentCredentials, GuestsOf, load_tokens
from reference_server.demo_payment import DemoPaymentProvider
from reference_server.engine.deciding import Decider
from reference_server.engine.listings import Listings
from reference_server.engine.policy import Policy
from reference_server.engine.snapshot import CartPricing
from reference_server.ports import Catalog, Clock, Guests, NoPaymentProvider, PaymentProvider, Promotions, RateLimiter
from reference_server.promotions import demo_promotions, load_promotions
from reference_server.rate_limits import NoLimit, TokenBuckets
from reference_server.service.account_reads import AccountReads
from reference_server.service.address_book import AddressBookServicer
from reference_server.service.call_limits import CallLimits
from reference_server.service.callers import Callers
from reference_server.service.calls import CallGuard
from reference_server.service.guests import GuestServicer
from reference_server.service.payment_methods import PaymentMethodServicer
from reference_server.service.servicer import CartSyncServicer, MakeStream
from reference_server.service.submissions import Submissions
from reference_server.service.sync_stream import Claims, SyncStream
from reference_server.service.watching import Watches
from reference_server.service.wishlist import WishlistServicer
from reference_server.settlement import Settlement
from reference_server.storage import Store, open_store

SERVICE = service_pb2.DESCRIPTOR.services_by_name["CartSyncService"]
WISHLIST_SERVICE = wishlist_pb2.DESCRIPTOR.services_by_name["WishlistService"]
ADDRESS_BOOK_SERVICE = address_book_pb2.DESCRIPTOR.services_by_name["AddressBookService"]
PAYMENT_METHOD_SERVICE = payment_methods_pb2.DESCRIPTOR.services_by_name["PaymentMethodService"]
GUEST_SERVICE = guest_claim_pb2.DESCRIPTOR.services_by_name["GuestService"]


class OpenStore(Protocol):
    """Opens a store by its address; raises StoreFailedError and ValueError."""

    def __call__(self, address: str, policy: Policy, *, keep_effects: bool = False) -> Store:
        """The store at `address`."""
        ...


AddToListener = Callable[[grpc.aio.Server], None]
"""Puts a service on a listener."""

AddService = Callable[[CartSyncServicer, grpc.aio.Server], None]
"""Puts the service on the public listener."""


def policy_of(config: Config) -> Policy:
    """The contract that a configuration comes to."""
    return Policy(
        replay_window=config.replay_window,
        outcome_retention=config.outcome_retention,
        queue_retention=config.queue_retention,
        profiles=config.profiles,
    )


def limiter_of(limit: RateLimit | None, clock: Clock) -> RateLimiter:
    """The limiter that a configuration asks for."""
    return NoLimit() if limit is None else TokenBuckets(limit, clock)


def catalog_of(config: Config) -> Catalog:
    """The catalogue file, or the demo; raises CatalogError."""
    return demo_catalog() if config.catalog is None else load_catalog(config.catalog)


def promotions_of(config: Config) -> Promotions:
    """The promotions file, or the demo; raises PromotionsError."""
    return demo_promotions() if config.promotions is None else load_promotions(config.promotions)


def payment_provider_of(config: Config) -> PaymentProvider:
    """The demo's in development mode; none otherwise: a shop connects its own."""
    return DemoPaymentProvider() if config.tokens_file is None else NoPaymentProvider()


def call_limits_of(config: Config) -> CallLimits:
    """How much of the server one principal may keep busy."""
    return CallLimits(config.max_calls, config.max_streams)


def credentials_of(config: Config) -> Credentials:
    """The tokens file, or everybody's word; raises TokensFileError."""
    return DevelopmentCredentials() if config.tokens_file is None else load_tokens(config.tokens_file)


@dataclass(frozen=True)
class Parts:
    """What a server is made of. A variant exchanges parts with `dataclasses.replace`."""

    policy: Callable[[Config], Policy] = policy_of
    clock: Callable[[], Clock] = SystemClock
    catalog: Callable[[Config], Catalog] = catalog_of
    credentials: Callable[[Config], Credentials] = credentials_of
    callers: Callable[[Credentials, Clock], Callers] = Callers
    call_limits: Callable[[Config], CallLimits] = call_limits_of
    guard: Callable[..., CallGuard] = CallGuard
    limiter: Callable[[RateLimit | None, Clock], RateLimiter] = limiter_of
    payment_limiter: Callable[[RateLimit | None, Clock], RateLimiter] = limiter_of
    promotions: Callable[[Config], Promotions] = promotions_of
    payment_provider: Callable[[Config], PaymentProvider] = payment_provider_of
    open_store: OpenStore = open_store
    decider: Callable[[Policy], Decider] = Decider
    pricing: Callable[[], CartPricing] = CartPricing
    settlement: Callable[..., Settlement] = Settlement
    submissions: Callable[[Settlement, Policy], Submissions] = Submissions
    claims: Callable[[], Claims] = Claims
    stream: MakeStream = SyncStream
    commits: Callable[[], Commits] = Commits
    watches: Callable[[Submissions, Commits], Watches] = Watches
    servicer: Callable[[Submissions, Claims, MakeStream, str, Watches], CartSyncServicer] = CartSyncServicer
    account_reads: Callable[[Settlement], AccountReads] = AccountReads
    listings: Callable[[], Listings] = Listings
    wishlist: Callable[[AccountReads, Listings], WishlistServicer] = WishlistServicer
    address_book: Callable[[AccountReads, Listings], AddressBookServicer] = AddressBookServicer
    payment_methods: Callable[[AccountReads, Listings], PaymentMethodServicer] = PaymentMethodServicer
    guests: Callable[[Credentials], Guests] = GuestsOf
    guest_service: Callable[[AccountReads, Guests], GuestServicer] = GuestServicer
    add_service: AddService = service_pb2_grpc.add_CartSyncServiceServicer_to_server

    def account_services(
        self, policy: Policy, settlement: Settlement, guests: Guests
    ) -> dict[ServiceDescriptor, AddToListener]:
        """The services beside the cart's, of the profiles that the policy lists."""
        reads, listings = self.account_reads(settlement), self.listings()
        add_wishlist = wishlist_pb2_grpc.add_WishlistServiceServicer_to_server
        add_address_book = address_book_pb2_grpc.add_AddressBookServiceServicer_to_server
        add_payment_methods = payment_methods_pb2_grpc.add_PaymentMethodServiceServicer_to_server
        add_guests = guest_claim_pb2_grpc.add_GuestServiceServicer_to_server
        known: tuple[tuple[str, ServiceDescriptor, AddToListener], ...] = (
            ("wishlist", WISHLIST_SERVICE, partial(add_wishlist, self.wishlist(reads, listings))),
            ("address_book", ADDRESS_BOOK_SERVICE, partial(add_address_book, self.address_book(reads, listings))),
            (
                "payment_methods",
                PAYMENT_METHOD_SERVICE,
                partial(add_payment_methods, self.payment_methods(reads, listings)),
            ),
            ("guest_claim", GUEST_SERVICE, partial(add_guests, self.guest_service(reads, guests))),
        )
        return {service: add for profile, service, add in known if policy.has_profile(profile)}


REFERENCE = Parts()
