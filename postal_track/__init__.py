"""Who holds which dossier: the rules, the ledger, the tables and the use cases.

Has never heard of HTTP.
"""
