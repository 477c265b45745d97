"""Parcels and their papers: the label that the carrier scans and the slip that goes into the box.

In: a booked return, a carrier's tracking code, two addresses. Out: PDF pages and codes, as bytes.
Invariants: the sender is the customer and the recipient the warehouse of the return; codes read back to exactly what went in.
Never: a price on a slip (the parcel may be a gift), nor anything fetched while a page is drawn.
"""
