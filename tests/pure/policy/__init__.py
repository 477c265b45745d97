"""Tests of the policy language: what is accepted, what is decided, what is said, what is paid."""
