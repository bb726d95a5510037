"""From what a request says to a person or a business of the domain, and what must be true of either."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sdt.api import models
from sdt.api.models_identity import BusinessIn
from sdt.api.services import Services
from sdt.domain.errors import Invalid, Unprocessable
from sdt.domain.ownership import check_owners
from sdt.domain.personal import SHARE_PPM, Business, Owner, Party, Person, PersonAddress

__all__ = ["business_of", "party_of", "person_of"]


def person_of(services: Services, given: models.PersonIn) -> Person:
    """Return a person. Errors: Unprocessable (date_of_birth)."""
    today = datetime.fromtimestamp(services.now_s, UTC).date()
    try:
        possible = date.fromisoformat(given.born_on) < today
    except ValueError:
        possible = False
    if not possible:
        raise Unprocessable("This is no date of birth.", code="date_of_birth")
    return Person(
        given_name=given.given_name,
        family_name=given.family_name,
        born_on=given.born_on,
        address=PersonAddress(**given.address.model_dump()),
        ssn_last4=given.ssn_last4,
        email=given.email,
    )


def business_of(services: Services, given: BusinessIn) -> Business:
    """Return a business. Errors: Unprocessable (date_of_birth, owner_share, owners_share_sum, owners_exempt)."""
    if any(not 1 <= int(owner.share_ppm) <= SHARE_PPM for owner in given.owners):
        raise Unprocessable("A share is from 1 to 1000000 millionths.", code="owner_share")
    business = Business(
        legal_name=given.legal_name,
        kind=given.kind,
        ein_last4=given.ein_last4,
        formed_in=given.formed_in,
        address=PersonAddress(**given.address.model_dump()),
        merchant_category=given.merchant_category,
        control=person_of(services, given.control),
        owners=tuple(
            Owner(person=person_of(services, owner.person), share_ppm=int(owner.share_ppm)) for owner in given.owners
        ),
    )
    check_owners(business)
    return business


def party_of(services: Services, person: models.PersonIn | None, business: BusinessIn | None) -> Party:
    """Return the one of both that was given. Errors: Invalid; as for either."""
    if (person is None) == (business is None):
        raise Invalid("Give the person, or the business.", code="request")
    return person_of(services, person) if person is not None else business_of(services, _given(business))


def _given(business: BusinessIn | None) -> BusinessIn:
    assert business is not None
    return business
