"""The policies of the shops: one in which goods are paid at every moment there is, and others for the middle of things."""

from __future__ import annotations

POLICY = """
schema: 1
name: Proof
timezone: Europe/London
rules:
  - rule: Faulty
    when: {reason: {in: [faulty]}}
    set: {returnable: true, window: {days: 365, from: delivered}, outbound_shipping: always}
  - rule: Keep it
    when: {item.tags: {has: keep}}
    set: {keep_item: true}
  - rule: Paid at once
    when: {item.tags: {has: trusted}}
    set: {refund_when: authorized}
  - rule: Paid on the way
    when: {item.tags: {has: transit}}
    set: {refund_when: in_transit}
  - rule: Looked at first
    when: {item.tags: {has: delicate}}
    set: {refund_when: inspected, on_inspection: {used: 70%, damaged: {refund: 50%, review: always}}}
  - rule: At a price
    when: {item.tags: {has: fee}}
    set: {restocking_fee: 15%, return_shipping: {paid_by: customer, amount: 4.95 GBP}}
  - rule: Big returns
    when: {return.value: {over: 150 GBP}}
    set: {review: always}
otherwise:
  returnable: true
  window: {days: 60, from: delivered, if_undelivered: review}
  resolutions: [refund, exchange, store_credit]
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%
  outbound_shipping: full_return
  credit_bonus: 10%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""
TERMS = """
schema: 1
name: Proof
timezone: Europe/London
otherwise: {{returnable: true, window: {{days: {days}, from: delivered, if_undelivered: review}},
  resolutions: [refund, exchange, store_credit], review: never, evidence: none, ship_with: [label, qr],
  return_shipping: {{paid_by: merchant}}, restocking_fee: {fee}%, outbound_shipping: {shipping}, credit_bonus: 10%,
  keep_item: {keep}, refund_when: {when}, ship_by: 14 days}}
"""
POLICIES = (
    TERMS.format(days=90, fee=0, shipping="always", keep="true", when="authorized"),
    TERMS.format(days=90, fee=0, shipping="full_return", keep="false", when="in_transit"),
    TERMS.format(days=1, fee=30, shipping="never", keep="false", when="inspected"),
)
"""Kinder and stricter ones that may be published in the middle of everything."""
