"""Tests of what is pure: no database, no network, no clock."""
