"""Use cases: each checks who asks, checks the rules, and stores in one transaction.

Forms, the admin, the API and the command line all come through here.
"""
