"""Returns portal: customers give goods back, staff work the exceptions, Stripe pays.

The river, in the trade's words (one package per stage, downstream last):

    order -> policy decision -> return -> label -> receipt of goods -> refund -> notice

Glossary
    Order, OrderLine    what was bought; amounts frozen as charged, in minor units
    Payment             money captured for an order; the ceiling of every refund
    Decision            accept, review or refuse, for n units of a line and one reason
    Return              the authorised case; ``rma`` is its number
    ReturnLine          n units of one order line, with reason and resolution
    resolution          refund, store_credit or exchange
    Review              the trade's "exception": a question put to staff
    condition           what the warehouse sees: as_new, opened, used, damaged, wrong_item, missing
    disposition         where the goods go: restock, refurbish, return_to_vendor, recycle, donate, dispose, missing
    Refund              one movement of money back to one payment
    StoreCredit         money owed as a code to spend
    Exchange            goods sent in place of goods returned
    Notice              a message to a person
"""

__version__ = "0.1.0"
