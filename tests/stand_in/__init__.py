"""The stand-in for Stripe, driven by the real stripe-python over real HTTP: each rule of Stripe's that the portal relies on."""
